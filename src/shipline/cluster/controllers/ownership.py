"""Who controls what: owner references, and how a controller takes and gives up the objects that its selector
names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api

Json = dict[str, Any]
Matches = Callable[[Mapping[str, str]], bool]


def controller_of(obj: Json) -> Json | None:
    """The owner reference of the object's controller."""
    references: list[Json] = obj["metadata"].get("ownerReferences") or []
    return next((reference for reference in references if reference.get("controller")), None)


def controller_reference(api_version: str, kind: str, owner: Json) -> Json:
    """The reference that makes `owner` an object's controller and keeps it until that object is gone."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def claim(
    api: Api, resource: str, reference: Json, may_adopt: bool, matches: Matches, objects: Iterable[Json]
) -> list[Json]:
    """Those of `objects` that belong to the owner in `reference`.

    Orphans that match are adopted if `may_adopt`; owned ones that match no more are released.
    """
    claimed = []
    for obj in objects:
        metadata = obj["metadata"]
        present = controller_of(obj)
        fits = matches(metadata.get("labels") or {})
        if present is not None:
            if present["uid"] != reference["uid"]:
                continue
            if fits:
                claimed.append(obj)
            elif may_adopt:
                others = [other for other in metadata["ownerReferences"] if other["uid"] != reference["uid"]]
                _own(api, resource, obj, others)
        elif fits and may_adopt and not metadata.get("deletionTimestamp"):
            adopted = _own(api, resource, obj, [*(metadata.get("ownerReferences") or []), reference])
            if adopted is not None:
                claimed.append(adopted)
    return claimed


def _own(api: Api, resource: str, obj: Json, references: list[Json]) -> Json | None:
    """The object with these owner references; None when it has just gone."""
    changed = {**obj, "metadata": {**obj["metadata"], "ownerReferences": references}}
    if not references:
        del changed["metadata"]["ownerReferences"]
    try:
        return api.update(resource, obj["metadata"]["namespace"], changed)
    except ApiError as error:
        if error.status_code == 404:
            return None
        raise
