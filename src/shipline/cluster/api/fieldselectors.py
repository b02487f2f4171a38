"""Which fields of which resource a field selector may name, and where their values lie."""

from __future__ import annotations

Paths = dict[str, tuple[str, ...]]

_METADATA: Paths = {"metadata.name": ("metadata.name",), "metadata.namespace": ("metadata.namespace",)}


def _same(*names: str) -> Paths:
    return {name: (name,) for name in names}


_EVENT: Paths = {
    **_same(
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "type",
        "reportingComponent",
    ),
    "source": ("source.component", "reportingComponent"),
    # The new group's words for the same fields.
    **{
        f"regarding.{part}": (f"involvedObject.{part}",)
        for part in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    },
    "reportingController": ("reportingComponent",),
}

_FIELDS: dict[str, Paths] = {
    "pods": _same(
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "nodes": _same("spec.unschedulable"),
    "namespaces": _same("status.phase", "name"),
    "secrets": _same("type"),
    "services": _same("spec.clusterIP", "spec.type"),
    "replicasets.apps": _same("status.replicas"),
    "events": _EVENT,
    "events.events.k8s.io": _EVENT,
}
_FIELDS["namespaces"]["name"] = ("metadata.name",)

# Fields whose absence reads as this text, because the type behind the wire has a zero value.
ZERO = {"spec.hostNetwork": "false", "spec.unschedulable": "false", "status.replicas": "0"}


def refusal(resource: str, field: str) -> str:
    """What is said of a field that cannot be selected by."""
    if resource in _FIELDS and "." not in resource:
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def selectable(resource: str) -> Paths:
    """Selectable fields of `plural[.group]`."""
    return {**_METADATA, **_FIELDS.get(resource, {})}
