"""An object as its type: decoded from what a caller gave, ordered for storing."""

from __future__ import annotations

import json
from typing import Any

from shipline.cluster.api import schema
from shipline.cluster.api.call import Call
from shipline.cluster.api.decoding import Decoder, DecodingError
from shipline.cluster.api.errors import bad_request, invalid
from shipline.cluster.api.resources import Resource

Json = dict[str, Any]


def decoded(kind: Resource, obj: Json, call: Call) -> Json:
    """The caller's own object as its type: ordered, without empty fields. ApiError 400."""
    decoder = Decoder()
    said = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
    try:
        result = decoder.object(schema.component(kind.api_version, kind.kind) or "", obj)
    except DecodingError as error:
        raise bad_request(said + str(error)) from None
    if decoder.unknown and call.field_validation == "Strict":
        raise bad_request(f"{said}strict decoding error: {', '.join(decoder.unknown)}")
    if call.field_validation == "Warn":
        call.warnings.extend(decoder.unknown)
    return result


def check_patched(kind: Resource, obj: Json, patch: str, call: Call) -> None:
    """Refuse what a patch has made of an object when it is no longer of its type: ApiError 422. `patch` is what
    the message shows."""
    decoder = Decoder()
    try:
        decoder.object(schema.component(kind.api_version, kind.kind) or "", obj)
        why = f"strict decoding error: {', '.join(decoder.unknown)}"
        if not decoder.unknown or call.field_validation != "Strict":
            return
    except DecodingError as error:
        why = str(error)
    cause = ("FieldValueInvalid", "patch", f"Invalid value: {json.dumps(patch, ensure_ascii=False)}: {why}")
    raise invalid("", "", "", [cause])


def said_only(full: Any, said: Any) -> Any:
    """A decoded value without the zeros that the decoder filled in for what was not said."""
    if isinstance(full, dict) and isinstance(said, dict):
        return {key: said_only(full[key], said[key]) for key in said if key in full}
    if isinstance(full, list) and isinstance(said, list) and len(full) == len(said):
        return [said_only(one, other) for one, other in zip(full, said, strict=True)]
    return full


def ordered(kind: Resource, obj: Json) -> Json:
    """The object with its fields in their type's order again."""
    return Decoder().object(schema.component(kind.api_version, kind.kind) or "", obj)
