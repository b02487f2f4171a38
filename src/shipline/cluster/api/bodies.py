"""Reading and writing bodies: bytes to objects and back, in JSON, YAML and protobuf."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from shipline.cluster.api.errors import ApiError, bad_request
from shipline.cluster.api.negotiation import JSON, PROTOBUF, YAML, Form, body_media

Json = dict[str, Any]


class Doubled(dict[str, Any]):
    """A JSON object in which a key stood more than once; `keys_twice` names those."""

    keys_twice: list[str]


def _pairs(pairs: list[tuple[str, Any]]) -> Json:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    doubled = Doubled(pairs)
    seen: set[str] = set()
    doubled.keys_twice = [key for key, _ in pairs if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
    return doubled


def read(raw: bytes, content_type: str, kind: str) -> Any:
    """The body's value. `kind` is what is expected, for the message. ApiError 400 or 415."""
    media = body_media(content_type)
    if media == PROTOBUF:
        from shipline.cluster.api import protobuf

        return protobuf.read(raw)
    if media == YAML:
        return read_yaml(raw)
    return read_json(raw, kind)


def read_json(raw: bytes, kind: str) -> Any:
    """JSON, with doubled keys remembered."""
    try:
        return json.loads(raw, object_pairs_hook=_pairs)
    except ValueError as error:
        why = _go_words(raw, error)
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
            f"json parse error: {why} ({raw[:512].decode(errors='replace')})"
        ) from None


def _go_words(raw: bytes, error: ValueError) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return "invalid UTF-8"
    rest = error.doc[error.pos :].lstrip()
    if not rest:
        return "unexpected end of JSON input"
    return f"invalid character '{rest[0]}' looking for beginning of value"


def read_yaml(raw: bytes) -> Any:
    """YAML as kubectl and the API read it; ApiError 400."""
    from shipline.cluster.api import yamltext

    try:
        return yamltext.load(raw)
    except ValueError as error:
        raise bad_request(f"error converting YAML to JSON: {error}") from None


def write(value: Json, form: Form) -> bytes:
    """An answer in the client's form."""
    return dress(msgspec.json.encode(value), form)


def dress(raw: bytes, form: Form) -> bytes:
    """JSON that exists already, in the client's form."""
    if form.media == YAML:
        return write_yaml(msgspec.json.decode(raw))
    if form.pretty and form.media == JSON:
        return msgspec.json.format(raw, indent=2)
    return raw + b"\n"


def write_yaml(value: Any) -> bytes:
    """YAML with sorted keys, as the API writes it."""
    from shipline.cluster.api.yamltext import dump

    return dump(value).encode()


def refuse_media(status: int) -> ApiError:
    """415 for a patch of an unknown type."""
    return ApiError(status, "UnsupportedMediaType", "415: Unsupported Media Type", {})
