"""The patches a client may send, by media type: JSON (RFC 6902), merge (RFC 7386), strategic merge."""

from __future__ import annotations

import json
from typing import Any

from shipline.cluster.api.errors import ApiError, bad_request
from shipline.cluster.api.resources import Resource

Json = dict[str, Any]


def patched(resource: Resource, obj: Json, patch: Any, type: str) -> Json:
    """`obj` (the caller's own copy) with the patch applied. ApiError when it cannot be."""
    if type == "json":
        return _json(obj, patch)
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: the patch must be an object")
    if type == "merge":
        merged: Json = _merge(obj, patch)
        return merged
    if type == "strategic":
        from shipline.cluster.api.strategic import merge

        return merge(resource, obj, patch)
    raise bad_request(f"unknown patch type {type}")


def shown(obj: Json, patch: Any, type: str) -> str:
    """What a refusal of the patched object shows: the result, or the patch itself for a strategic one."""
    return json.dumps(patch if type == "strategic" else obj, separators=(",", ":"), ensure_ascii=False)


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value)
    return result


def _json(obj: Json, patch: Any) -> Json:
    from jsonpatch import JsonPatch, JsonPatchException
    from jsonpointer import JsonPointerException

    try:
        return JsonPatch(patch).apply(obj)  # type: ignore[no-any-return]
    except (JsonPatchException, JsonPointerException, TypeError, ValueError):
        message = "the server rejected our request due to an error in our request"
        raise ApiError(422, "Invalid", message, {}) from None
