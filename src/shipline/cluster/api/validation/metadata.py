"""Names, labels, annotations, finalizers and owners: the same for every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shipline.cluster.api.resources import Resource
from shipline.cluster.api.validation import formats
from shipline.cluster.api.validation.causes import Causes

Json = dict[str, Any]

_ANNOTATIONS_LIMIT = 256 * 1024
_RBAC = "rbac.authorization.k8s.io"


def _name_format(resource: Resource) -> Callable[[str], list[str]]:
    if resource.name in ("namespaces", "services"):
        return formats.dns_label
    if resource.group == _RBAC:
        return formats.path_segment
    return formats.dns_subdomain


def check_metadata(causes: Causes, resource: Resource, metadata: Json) -> None:
    """An object's metadata by itself."""
    check_name = _name_format(resource)
    if metadata.get("generateName"):
        for complaint in check_name(metadata["generateName"].rstrip("-.")):
            causes.invalid("metadata.generateName", metadata["generateName"], complaint)
    if not metadata.get("name"):
        causes.required("metadata.name", "name or generateName is required")
    else:
        for complaint in check_name(metadata["name"]):
            causes.invalid("metadata.name", metadata["name"], complaint)
    check_labels(causes, "metadata.labels", metadata.get("labels") or {})
    check_annotations(causes, "metadata.annotations", metadata.get("annotations") or {})
    _owners(causes, metadata)
    for finalizer in metadata.get("finalizers") or ():
        field = "metadata.finalizers"
        for complaint in formats.qualified_name(finalizer):
            causes.invalid(field, finalizer, complaint)


def check_labels(causes: Causes, field: str, labels: Json) -> None:
    """Keys and values of labels."""
    for key, value in labels.items():
        for complaint in formats.qualified_name(key):
            causes.invalid(field, key, complaint)
        for complaint in formats.label_value(value):
            causes.invalid(field, value, complaint)


def check_annotations(causes: Causes, field: str, annotations: Json) -> None:
    """Keys of annotations, and their size together."""
    for key in annotations:
        for complaint in formats.qualified_name(key.lower()):
            causes.invalid(field, key, complaint)
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATIONS_LIMIT:
        causes.too_long(field, _ANNOTATIONS_LIMIT)


def _owners(causes: Causes, metadata: Json) -> None:
    controllers = []
    for owner in metadata.get("ownerReferences") or ():
        field = "metadata.ownerReferences"
        if not owner.get("apiVersion"):
            causes.invalid(f"{field}.apiVersion", "", "version must not be empty")
        for name in ("kind", "name", "uid"):
            if not owner.get(name):
                causes.invalid(f"{field}.{name}", "", f"{name} must not be empty")
        if owner.get("controller"):
            controllers.append(f"{owner.get('kind')}/{owner.get('name')}")
    if len(controllers) > 1:
        why = 'Only one reference can have Controller set to true. Found "true" in references for '
        causes.invalid("metadata.ownerReferences", metadata["ownerReferences"], why + " and ".join(controllers))


def check_metadata_update(causes: Causes, new: Json, old: Json) -> None:
    """What may not change: and no finalizer may join an object that is going away."""
    if old.get("deletionTimestamp"):
        added = [f for f in new.get("finalizers") or () if f not in (old.get("finalizers") or ())]
        if added:
            why = f"no new finalizers can be added if the object is being deleted, found new finalizers {added!r}"
            causes.forbidden("metadata.finalizers", why.replace("'", '"').replace(', "', ' "'))
