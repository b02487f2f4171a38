"""What a client may not set: status through the main path, spec through the status path, and the generation.

Runs between admission and validation on every write.
"""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.resources import Resource

Json = dict[str, Any]

# The parts of an object whose change is a new generation.
_GENERATED = ("pods", "deployments.apps", "replicasets.apps", "endpointslices.discovery.k8s.io")
_SERVER_SET = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)


def prepare_create(resource: Resource, obj: Json) -> None:
    """Drop what a new object cannot bring along, and set its first generation and status."""
    metadata = obj["metadata"]
    for field in _SERVER_SET:
        if field != "managedFields":
            metadata.pop(field, None)
    if resource.name in _GENERATED:
        metadata["generation"] = 1
    match resource.name:
        case "pods":
            obj["status"] = {"phase": "Pending", "qosClass": quality_of_service(obj["spec"])}
        case "namespaces":
            obj["status"] = {"phase": "Active"}
            finalizers = obj.setdefault("spec", {}).setdefault("finalizers", [])
            if "kubernetes" not in finalizers:
                finalizers.append("kubernetes")
        case "services":
            obj["status"] = {"loadBalancer": {}}
        case "deployments.apps":
            obj["status"] = {}
        case "replicasets.apps":
            obj["status"] = {"replicas": 0}


def prepare_update(resource: Resource, new: Json, old: Json, subresource: str | None) -> None:
    """Keep from `old` what this path may not change; bump the generation when the spec has changed."""
    metadata, before = new["metadata"], old["metadata"]
    for field in ("creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "uid"):
        metadata.pop(field, None)
        if field in before:
            metadata[field] = before[field]
    metadata.pop("selfLink", None)
    if subresource == "status":
        _keep(new, old, set(new) | set(old), {"metadata", "status", "apiVersion", "kind"})
        # A Deployment's status comes with its revision, which is an annotation.
        free = {"annotations"} if resource.name == "deployments.apps" else set()
        _keep(metadata, before, {"labels", "annotations", "ownerReferences", "finalizers"}, free)
        return
    if resource.subresource("status"):
        _keep(new, old, {"status"}, set())
    if resource.name == "namespaces" and subresource != "finalize":
        new.setdefault("spec", {})
        _keep(new["spec"], old.get("spec", {}), {"finalizers"}, set())
    if resource.name in _GENERATED and _asked(resource, new) != _asked(resource, old):
        metadata["generation"] = before.get("generation", 0) + 1


def _asked(resource: Resource, obj: Json) -> list[Any]:
    """What of an object somebody asks for; a change of it makes a new generation."""
    if resource.name == "deployments.apps":
        return [obj.get("spec"), obj["metadata"].get("annotations") or {}]
    if resource.name == "endpointslices.discovery.k8s.io":
        return [obj.get("endpoints"), obj.get("ports")]
    return [obj.get("spec")]


def _keep(new: Json, old: Json, fields: set[str], free: set[str]) -> None:
    for field in fields - free:
        new.pop(field, None)
        if field in old:
            new[field] = old[field]


def quality_of_service(spec: Json) -> str:
    """Guaranteed, Burstable or BestEffort, from the containers' requests and limits."""
    guaranteed, some = True, False
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        for name in ("cpu", "memory"):
            some = some or name in requests or name in limits
            if name not in limits or requests.get(name, limits[name]) != limits[name]:
                guaranteed = False
    if not some:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
