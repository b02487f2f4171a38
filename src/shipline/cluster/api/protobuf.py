"""Kubernetes' protobuf: what kubectl sends and accepts for the built-in kinds.

An object travels as the bytes `k8s\\0` and a message that holds its apiVersion, its kind and its own encoding.
The numbers of the fields are in `wire`.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from shipline.cluster.api import schema, wire
from shipline.cluster.api.errors import bad_request
from shipline.cluster.api.resources import Resource
from shipline.cluster.api.wire import Field, Type

Json = dict[str, Any]

MAGIC = b"k8s\0"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_META = wire.META


def read(raw: bytes) -> Json:
    """A body as JSON; ApiError 400 when it cannot be read."""
    try:
        if not raw.startswith(MAGIC):
            raise ValueError("no magic prefix")
        parts = dict(_parts(raw[len(MAGIC) :]))
        head = dict(_parts(parts[1]))
        api_version, kind = head.get(1, b"").decode(), head.get(2, b"").decode()
        component = schema.component(api_version, kind)
        if component is None:
            raise bad_request(f'no kind "{kind}" is registered for version "{api_version}" in scheme')
        return {"kind": kind, "apiVersion": api_version, **_read_message(component, parts.get(2, b""))}
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, struct.error) as error:
        raise bad_request(f"the body is no Kubernetes protobuf: {error}") from None


def _parts(raw: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message as (number, value): an int for numbers, bytes for the rest."""
    position = 0
    while position < len(raw):
        key, position = _read_varint(raw, position)
        number, form = key >> 3, key & 7
        if form == _VARINT:
            value, position = _read_varint(raw, position)
            yield number, value
        elif form == _BYTES:
            length, position = _read_varint(raw, position)
            if position + length > len(raw):
                raise ValueError("unexpected end")
            yield number, raw[position : position + length]
            position += length
        elif form in (_FIXED64, _FIXED32):
            size = 8 if form == _FIXED64 else 4
            yield number, raw[position : position + size]
            position += size
        else:
            raise ValueError(f"wire type {form} of field {number}")


def _read_varint(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("number too long")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _read_message(component: str, raw: bytes) -> Json:
    fields = {field.number: field for field in wire.message(component) if field.number}
    result: Json = {}
    for number, value in _parts(raw):
        field = fields.get(number)
        if field is None:
            continue
        if not field.name:
            result.update(_read_message(field.type.component, value))
        else:
            _put(result, field, value)
    return result


def _put(result: Json, field: Field, value: Any) -> None:
    kind = field.type
    if kind.shape == "list" and not kind.wrapped:
        result.setdefault(field.name, []).append(_read_value(kind.of or Type("string"), value))
    elif kind.shape == "map":
        entry = dict(_parts(value))
        of = kind.of or Type("string")
        empty: Any = 0 if of.shape in ("int", "bool") else b""
        result.setdefault(field.name, {})[entry.get(1, b"").decode()] = _read_value(of, entry.get(2, empty))
    else:
        result[field.name] = _read_value(kind, value)


def _read_value(kind: Type, value: Any) -> Any:
    match kind.shape:
        case "string":
            return value.decode()
        case "bytes":
            return base64.b64encode(value).decode()
        case "bool":
            return bool(value)
        case "int":
            return _signed(value)
        case "float64":
            return struct.unpack("<d", value)[0]
        case "list":
            return [_read_value(kind.of or Type("string"), item) for _, item in _parts(value)]
    if kind.component in wire.SPECIAL:
        return _read_special(kind.component, dict(_parts(value)))
    return _read_message(kind.component, value)


def _read_special(component: str, parts: dict[int, Any]) -> Any:
    if component == wire.QUANTITY:
        return parts.get(1, b"0").decode() or "0"
    if component == wire.INT_OR_STRING:
        return parts.get(3, b"").decode() if parts.get(1, 0) == 1 else _signed(parts.get(2, 0))
    if component == wire.FIELDS:
        return msgspec.json.decode(parts.get(1, b"{}") or b"{}")
    seconds, nanoseconds = _signed(parts.get(1, 0)), parts.get(2, 0)
    if not parts:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{nanoseconds // 1000:06d}Z" if component == wire.MICRO_TIME else f"{text}Z"


def write(api_version: str, kind: str, obj: Json) -> bytes:
    """An object as a body."""
    component = schema.component(api_version, kind)
    assert component is not None, f"{kind} has a type"
    return _enveloped(api_version, kind, _write_message(component, obj))


def write_list(resource: Resource, metadata: Json, items: list[Json]) -> bytes:
    """A list as a body."""
    component = schema.component(resource.api_version, resource.kind)
    assert component is not None, f"{resource.kind} has a type"
    head = b"".join(
        (
            _text(2, metadata.get("resourceVersion", "")),
            _text(3, metadata.get("continue", "")),
            _number(4, metadata["remainingItemCount"]) if "remainingItemCount" in metadata else b"",
        )
    )
    body = _bytes(1, head) + b"".join(_bytes(2, _write_message(component, item)) for item in items)
    return _enveloped(resource.api_version, f"{resource.kind}List", body)


def write_status(status: Json) -> bytes:
    """A Status as a body."""
    return _enveloped("v1", "Status", _write_message(f"{_META}Status", status))


def write_event(kind: str, api_version: str, obj_kind: str, obj: Json) -> bytes:
    """A watch's event, as one frame of its stream: the length in four bytes, then the message."""
    component = schema.component(api_version, obj_kind)
    assert component is not None, f"{obj_kind} has a type"
    raw = _enveloped(api_version, obj_kind, _write_message(component, obj))
    event = _text(1, kind) + _bytes(2, _bytes(1, raw))
    return struct.pack("!I", len(event)) + event


def _enveloped(api_version: str, kind: str, raw: bytes) -> bytes:
    head = _text(1, api_version) + _text(2, kind)
    return MAGIC + _bytes(1, head) + _bytes(2, raw) + _text(3, "") + _text(4, "")


def _write_message(component: str, obj: Json) -> bytes:
    out = []
    for field in wire.message(component):
        if not field.number:
            continue
        if not field.name:
            out.append(_bytes(field.number, _write_message(field.type.component, obj)))
        elif obj.get(field.name) is not None:
            out.append(_write_field(field.number, field.type, obj[field.name]))
        elif field.type.shape == "struct" and not field.pointer:
            out.append(_bytes(field.number, b""))
    return b"".join(out)


def _write_field(number: int, kind: Type, value: Any) -> bytes:
    of = kind.of or Type("string")
    match kind.shape:
        case "string":
            return _text(number, value)
        case "bytes":
            return _bytes(number, base64.b64decode(value))
        case "bool" | "int":
            return _number(number, int(value))
        case "float64":
            return _varint(number << 3 | _FIXED64) + struct.pack("<d", value)
        case "list" if kind.wrapped:
            return _bytes(number, b"".join(_write_field(1, of, item) for item in value))
        case "list":
            return b"".join(_write_field(number, of, item) for item in value)
        case "map":
            entries = (_text(1, key) + _write_field(2, of, item) for key, item in sorted(value.items()))
            return b"".join(_bytes(number, entry) for entry in entries)
    if kind.component in wire.SPECIAL:
        return _bytes(number, _write_special(kind.component, value))
    return _bytes(number, _write_message(kind.component, value))


def _write_special(component: str, value: Any) -> bytes:
    if component == wire.QUANTITY:
        return _text(1, value)
    if component == wire.INT_OR_STRING:
        if isinstance(value, str):
            return _number(1, 1) + _number(2, 0) + _text(3, value)
        return _number(1, 0) + _number(2, value) + _text(3, "")
    if component == wire.FIELDS:
        return _bytes(1, msgspec.json.encode(value))
    moment = datetime.fromisoformat(value)
    return _number(1, int(moment.timestamp())) + _number(2, moment.microsecond * 1000)


def _varint(value: int) -> bytes:
    if value < 0:
        value += 1 << 64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())
