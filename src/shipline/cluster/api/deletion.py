"""What deleting means: at once, after a pod's grace, or when the last finalizer has gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shipline.cluster.api.errors import ApiError, bad_request, conflict
from shipline.cluster.api.names import timestamp
from shipline.cluster.api.resources import Resource

Json = dict[str, Any]

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_POLICIES = ("Background", "Foreground", "Orphan")


@dataclass(frozen=True, slots=True)
class Deletion:
    """How to delete: `grace_period` in seconds (None: the object's own), `propagation` to dependents."""

    grace_period: int | None = None
    propagation: str | None = None
    uid: str | None = None
    resource_version: str | None = None


def check(resource: Resource, obj: Json, deletion: Deletion) -> None:
    """Refuse a deletion whose preconditions the object doesn't meet."""
    metadata = obj["metadata"]
    name = metadata["name"]
    if deletion.propagation is not None and deletion.propagation not in _POLICIES:
        raise bad_request(
            f'invalid DeleteOptions: propagationPolicy: Unsupported value: "{deletion.propagation}": '
            'supported values: "Background", "Foreground", "Orphan"'
        )
    if deletion.uid and deletion.uid != metadata["uid"]:
        why = f"the UID in the precondition ({deletion.uid}) does not match the UID in record ({metadata['uid']})"
        raise _precondition(resource, name, why)
    if deletion.resource_version and deletion.resource_version != metadata["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({deletion.resource_version}) does not match the "
            f"ResourceVersion in record ({metadata['resourceVersion']})"
        )
        raise _precondition(resource, name, why)


def _precondition(resource: Resource, name: str, why: str) -> ApiError:
    return conflict(resource.kind, name, f"{why}. The object might have been deleted and then recreated")


def mark(resource: Resource, obj: Json, deletion: Deletion) -> bool:
    """Change a (copied) object as the deletion asks. True when nothing holds it and it can be removed."""
    metadata = obj["metadata"]
    _set_propagation(metadata, deletion.propagation)
    grace = _grace(resource, obj, deletion.grace_period)
    if "deletionTimestamp" in metadata:
        if grace < metadata.get("deletionGracePeriodSeconds", 0):
            _set_time(metadata, grace)
    elif grace > 0 or metadata.get("finalizers") or _namespace_held(resource, obj):
        _set_time(metadata, grace)
        if "generation" in metadata:
            metadata["generation"] += 1
    if resource.name == "namespaces":
        obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
        metadata.pop("deletionGracePeriodSeconds", None)
    return grace == 0 and removable(resource, obj)


def removable(resource: Resource, obj: Json) -> bool:
    """Whether nothing holds an object that is being deleted."""
    metadata = obj["metadata"]
    if metadata.get("finalizers") or _namespace_held(resource, obj):
        return False
    return bool(metadata.get("deletionGracePeriodSeconds", 0) == 0)


def _namespace_held(resource: Resource, obj: Json) -> bool:
    return resource.name == "namespaces" and bool((obj.get("spec") or {}).get("finalizers"))


def _set_time(metadata: Json, grace: int) -> None:
    metadata["deletionTimestamp"] = timestamp(datetime.now(UTC) + timedelta(seconds=grace))
    metadata["deletionGracePeriodSeconds"] = grace


def _set_propagation(metadata: Json, policy: str | None) -> None:
    if policy is None:
        return
    finalizers = [f for f in metadata.get("finalizers") or [] if f not in (FOREGROUND, ORPHAN)]
    if policy == "Foreground":
        finalizers.append(FOREGROUND)
    elif policy == "Orphan":
        finalizers.append(ORPHAN)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)


def _grace(resource: Resource, obj: Json, asked: int | None) -> int:
    """Only pods that a node runs are given time."""
    if resource.name != "pods":
        return 0
    spec, status = obj["spec"], obj.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    if asked is not None:
        return max(asked, 1) if asked < 0 else asked
    return int(spec.get("terminationGracePeriodSeconds", 30))
