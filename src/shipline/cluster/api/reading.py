"""What a request's body holds: an object of the kind that its path means, or a patch."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api import bodies, presentation
from shipline.cluster.api.errors import bad_request
from shipline.cluster.api.exchange import Exchange

Json = dict[str, Any]

PATCH_TYPES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}


async def read_object(exchange: Exchange, api_version: str, kind: str) -> Json:
    """The body as an object of that kind; its own apiVersion and kind may be left out. ApiError 400."""
    obj = await exchange.body(kind)
    if not isinstance(obj, dict):
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
            f"json: cannot unmarshal {type(obj).__name__} into Go value of type struct"
        )
    said, version = obj.get("kind") or kind, obj.get("apiVersion") or api_version
    if said == kind and version == api_version:
        return obj
    bare = version.rpartition("/")[2]
    if presentation.is_known(version, said):
        ours = f"{api_version.rpartition('/')[0].partition('.')[0] or 'core'}.{kind}"
        raise bad_request(
            f'{said} in version "{bare}" cannot be handled as a {kind}: '
            f"converting ({bare}.{said}) to ({ours}): unknown conversion"
        )
    raise bad_request(
        f'no kind "{said}" is registered for version "{version}" in scheme "pkg/api/legacyscheme/scheme.go:30"'
    )


async def read_patch(exchange: Exchange) -> tuple[Any, str]:
    """The body's patch and its type; ApiError 415 for one that isn't known."""
    media = exchange.request.headers.get("Content-Type", "").partition(";")[0].strip()
    type = PATCH_TYPES.get(media)
    if type is None:
        raise bodies.refuse_media(415)
    raw = await exchange.request.read()
    if type == "apply":
        return bodies.read_yaml(raw), type
    return bodies.read_json(raw, "Patch"), type
