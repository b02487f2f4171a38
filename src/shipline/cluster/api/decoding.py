"""A client's JSON becomes an object of its type: checked, in the type's order, without empty fields.

It answers what Kubernetes' own decoder answers: the first wrong type ends it, unknown and doubled fields are
collected (`Strict` refuses them, `Warn` tells, `Ignore` drops them).
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from shipline.cluster.api import schema as schemas
from shipline.cluster.api import wire
from shipline.cluster.api.quantities import QuantityError, canonical
from shipline.cluster.api.wire import Field, Type

Json = dict[str, Any]

_TIME = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$")
_ZERO: dict[str, Any] = {"string": "", "bytes": "", "bool": False, "int": 0}

_SPECIAL_ZERO: dict[str, Any] = {wire.QUANTITY: "0", wire.INT_OR_STRING: 0}


class DecodingError(ValueError):
    """A value of the wrong type; the text is the decoder's part of the message."""


@cache
def _plan(component: str) -> tuple[tuple[str, Field, type | None, bool], ...]:
    """A type's fields with what decides quickly: the Python type that needs no further look, and whether the
    field is written when nobody has set it."""
    plain: dict[str, type] = {"string": str, "bool": bool, "int": int}
    return tuple(
        (name, field, plain.get(field.type.shape), _is_written(field))
        for name, field in wire.fields(component).items()
    )


def _is_written(field: Field) -> bool:
    if field.pointer or field.type.shape != "struct":
        return not field.omitted
    return not (field.omits_struct or field.type.component == wire.FIELDS)


class Decoder:
    """Decodes one object; `unknown` then lists what its type doesn't know, in Kubernetes' words."""

    def __init__(self) -> None:
        self.unknown: list[str] = []

    def object(self, component: str, value: Any, path: str = "", trail: str = "") -> Json:
        """`path` names the place with indices (for unknown fields), `trail` without (for wrong types)."""
        known = wire.fields(component)
        self._doubled(value, path)
        if not known.keys() >= value.keys():
            for name in value:
                if name not in known:
                    self.unknown.append(f'unknown field "{_join(path, name)}"')
        result: Json = {}
        for name, field, plain, always in _plan(component):
            given = value.get(name)
            if given is None:
                if always:
                    result[name] = self._absent(field)
                continue
            if type(given) is plain:
                decoded = given
            else:
                decoded = self._value(field.type, given, component, name, _join(path, name), _join(trail, name))
            if field.omitted and not field.pointer and _is_zero(field.type, decoded):
                continue
            result[name] = decoded
        return result

    def _doubled(self, value: Json, path: str) -> None:
        for name in getattr(value, "keys_twice", ()):
            self.unknown.append(f'duplicate field "{_join(path, name)}"')

    def _absent(self, field: Field) -> Any:
        """What the encoder writes for a field nobody set."""
        if field.pointer:
            return None
        if field.type.shape == "struct":
            component = field.type.component
            if component in wire.SPECIAL:
                return _SPECIAL_ZERO.get(component)
            return self.object(component, {})
        return _ZERO.get(field.type.shape)

    def _value(self, kind: Type, value: Any, owner: str, name: str, path: str, trail: str) -> Any:
        match kind.shape:
            case "struct" if kind.component in wire.SPECIAL:
                return _special(kind.component, value)
            case "struct":
                if not isinstance(value, dict):
                    raise _mismatch(value, owner, trail, _go_type(kind))
                return self.object(kind.component, value, path, trail)
            case "list":
                if not isinstance(value, list):
                    raise _mismatch(value, owner, trail, _go_type(kind))
                of = kind.of or Type("string")
                return [self._item(of, item, owner, f"{path}[{i}]", trail) for i, item in enumerate(value)]
            case "map":
                if not isinstance(value, dict):
                    raise _mismatch(value, owner, trail, _go_type(kind))
                of = kind.of or Type("string")
                self._doubled(value, path)
                return {key: self._item(of, value[key], owner, f"{path}.{key}", trail) for key in sorted(value)}
            case "bytes":
                return _bytes(value)
            case "string" if not isinstance(value, str):
                raise _mismatch(value, owner, trail, "string")
            case "bool" if not isinstance(value, bool):
                raise _mismatch(value, owner, trail, "bool")
            case "int":
                if isinstance(value, float) and value.is_integer():
                    value = int(value)
                if isinstance(value, bool) or not isinstance(value, int):
                    raise _mismatch(value, owner, trail, _int_type(owner, name))
        return value

    def _item(self, of: Type, item: Any, owner: str, path: str, trail: str) -> Any:
        if item is None:
            if of.component in wire.SPECIAL:
                return _SPECIAL_ZERO.get(of.component)
            return self.object(of.component, {}) if of.shape == "struct" else _ZERO.get(of.shape)
        return self._value(of, item, owner, "", path, trail)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _is_zero(kind: Type, value: Any) -> bool:
    return kind.shape != "struct" and not value


def _special(component: str, value: Any) -> Any:
    if component == wire.QUANTITY:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise DecodingError(str(QuantityError()))
        try:
            return canonical(str(value))
        except QuantityError as error:
            raise DecodingError(str(error)) from None
    if component == wire.INT_OR_STRING:
        if isinstance(value, bool) or not isinstance(value, str | int):
            kind = _json_type(value)
            raise DecodingError(f"json: cannot unmarshal {kind} into Go value of type int32")
        return value
    if component in (wire.TIME, wire.MICRO_TIME):
        return _time(value, micro=component == wire.MICRO_TIME)
    return value


def _time(value: Any, micro: bool) -> str:
    if not isinstance(value, str):
        raise DecodingError(f"json: cannot unmarshal {_json_type(value)} into Go value of type string")
    return _written_time(value, micro)


@lru_cache(maxsize=4096)
def _written_time(value: str, micro: bool) -> str:
    match = _TIME.match(value)
    try:
        if match is None:
            raise ValueError(value)
        moment = datetime.fromisoformat(match.group(1) + match.group(3).replace("Z", "+00:00")).astimezone(UTC)
    except ValueError:
        layout = "2006-01-02T15:04:05.000000Z07:00" if micro else "2006-01-02T15:04:05Z07:00"
        raise DecodingError(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"') from None
    fraction = (match.group(2) or "").ljust(6, "0")[:6]
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}Z" if micro else "Z")


def _bytes(value: Any) -> str:
    """Base64 text stays text, in its padded form."""
    if not isinstance(value, str):
        raise DecodingError(f"json: cannot unmarshal {_json_type(value)} into Go value of type []uint8")
    text = value.replace("\n", "").replace("\r", "")
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        wrong = re.search(r"[^A-Za-z0-9+/]", text)
        position = wrong.start() if wrong else len(text)
        if wrong and wrong.group() == "=":
            position = len(text) if len(text) % 4 else position
        raise DecodingError(f"illegal base64 data at input byte {position}") from None
    return text


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float):
        return "number" if isinstance(value, int) else f"number {value}"
    return "array" if isinstance(value, list) else "object"


def _mismatch(value: Any, owner: str, trail: str, go_type: str) -> DecodingError:
    struct = owner.rpartition(".")[2]
    return DecodingError(
        f"json: cannot unmarshal {_json_type(value)} into Go struct field {struct}.{trail} of type {go_type}"
    )


def _int_type(owner: str, name: str) -> str:
    schema = schemas.definitions().get(owner) or {}
    found = schemas.field(schema, name) or {}
    return str(found.get("format") or "int32")


def _go_type(kind: Type) -> str:
    if kind.shape == "struct":
        return ".".join(kind.component.split(".")[-2:])
    if kind.shape == "list":
        return f"[]{_go_type(kind.of or Type('string'))}"
    if kind.shape == "map":
        return f"map[string]{_go_type(kind.of or Type('string'))}"
    return {"bytes": "[]uint8", "int": "int32"}.get(kind.shape, kind.shape)
