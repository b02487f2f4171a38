"""A pod's place: the scheduler's decision written into it."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.errors import conflict
from shipline.cluster.api.names import timestamp

Json = dict[str, Any]


def bound(pod: Json, node: str) -> Json:
    """The (caller's own) pod, bound to `node`; ApiError 409 when it has one or is going away."""
    name = pod["metadata"]["name"]
    if pod["metadata"].get("deletionTimestamp"):
        raise conflict("pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host")
    if pod["spec"].get("nodeName"):
        present = pod["spec"]["nodeName"]
        raise conflict("pods/binding", name, f'pod {name} is already assigned to node "{present}"')
    pod["spec"]["nodeName"] = node
    conditions = pod.setdefault("status", {}).setdefault("conditions", [])
    conditions[:] = [condition for condition in conditions if condition["type"] != "PodScheduled"]
    conditions.append({"type": "PodScheduled", "status": "True", "lastTransitionTime": timestamp()})
    return pod
