"""What a pod asks for and this node does not give: told in an Event, never dropped in silence.

What a pod cannot run without is refused where it would be used (volumes, images, gRPC probes); this is the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shipline.cluster.events import WARNING, EventRecorder

Json = dict[str, Any]

_OF_POD = ("ephemeralContainers", "overhead", "resourceClaims", "resources", "schedulingGroup", "workloadRef")
_OF_CONTAINER = ("restartPolicyRules", "volumeDevices")


def tell_unhonoured(recorder: EventRecorder, pod: Json) -> None:
    """Record an Event about a pod that has such fields."""
    if lacking := unhonoured(pod):
        text = f"not supported by this cluster, and ignored: {', '.join(lacking)}"
        recorder.event(pod, WARNING, "NotSupported", text)


def unhonoured(pod: Json) -> list[str]:
    """The paths of such fields, in the order of the pod."""
    return sorted(set(_of_pod(pod["spec"])))


def _of_pod(spec: Json) -> Iterator[str]:
    for field in _OF_POD:
        if spec.get(field):
            yield f"spec.{field}"
    if spec.get("hostUsers") is False:
        yield "spec.hostUsers"
    context = spec.get("securityContext") or {}
    if context.get("supplementalGroupsPolicy") == "Strict":
        yield "spec.securityContext.supplementalGroupsPolicy"
    if context.get("windowsOptions"):
        yield "spec.securityContext.windowsOptions"
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or []:
            for path in _of_container(container, field == "initContainers"):
                yield f"spec.{field}[{container['name']}].{path}"


def _of_container(container: Json, init: bool) -> Iterator[str]:
    for field in _OF_CONTAINER:
        if container.get(field):
            yield field
    policy = container.get("restartPolicy")
    if policy and not (init and policy == "Always"):
        yield "restartPolicy"
    for mount in container.get("volumeMounts") or []:
        if mount.get("recursiveReadOnly") in ("Enabled", "IfPossible"):
            yield "volumeMounts.recursiveReadOnly"
