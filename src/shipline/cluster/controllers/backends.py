"""Which pods stand behind a Service, at which ports: what Endpoints and EndpointSlices are both made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shipline.cluster.api.machinery import Api
from shipline.cluster.controllers import podstate
from shipline.cluster.controllers.loop import key_of
from shipline.cluster.controllers.workqueue import Key

Json = dict[str, Any]

HEADLESS = "service.kubernetes.io/headless"


@dataclass(frozen=True)
class Backend:
    """One pod behind a Service. `ports` are (name, protocol, number, appProtocol or "")."""

    address: str
    pod: Json
    ports: tuple[tuple[str, str, int, str], ...]
    ready: bool
    terminating: bool
    tolerated: bool
    """Whether the Service wants its pods known even when they aren't ready."""

    @property
    def takes_requests(self) -> bool:
        """Whether new connections may go there. A pod leaves the moment it is told to stop, before it notices."""
        return self.tolerated or (self.ready and not self.terminating)

    @property
    def target(self) -> Json:
        metadata = self.pod["metadata"]
        return {"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}

    def hostname(self, service: Json) -> str:
        """The name it has below the Service's in DNS, if it asks for one."""
        spec = self.pod["spec"]
        if spec.get("hostname") and spec.get("subdomain") == service["metadata"]["name"]:
            return str(spec["hostname"])
        return ""


def backends(api: Api, service: Json) -> list[Backend]:
    """The pods that a Service's selector names and that have an address, ordered by name."""
    selector = service["spec"].get("selector") or {}
    result = []
    for stored in api.select("pods", service["metadata"]["namespace"]):
        pod = stored.obj
        if not selects(selector, pod) or podstate.is_finished(pod):
            continue
        address = (pod.get("status") or {}).get("podIP")
        if not address:
            continue
        result.append(
            Backend(
                address,
                pod,
                _ports(service, pod),
                podstate.is_ready(pod),
                bool(pod["metadata"].get("deletionTimestamp")),
                bool(service["spec"].get("publishNotReadyAddresses")),
            )
        )
    return result


def selects(selector: dict[str, str], pod: Json) -> bool:
    return bool(selector) and selector.items() <= (pod["metadata"].get("labels") or {}).items()


def services_of(api: Api, pod: Json) -> list[Key]:
    """The Services whose selectors name a pod."""
    return [
        key_of(stored.obj)
        for stored in api.select("services", pod["metadata"]["namespace"])
        if selects(stored.obj["spec"].get("selector") or {}, pod)
    ]


def is_headless(service: Json) -> bool:
    return bool(service["spec"].get("clusterIP") == "None")


def _ports(service: Json, pod: Json) -> tuple[tuple[str, str, int, str], ...]:
    """The Service's ports as this pod has them; a named port that the pod doesn't have is left out."""
    result = []
    for port in service["spec"].get("ports") or []:
        protocol = port.get("protocol", "TCP")
        number = _number(port.get("targetPort", port["port"]), protocol, pod)
        if number is not None:
            result.append((port.get("name", ""), protocol, number, port.get("appProtocol", "")))
    return tuple(result)


def _number(target: int | str, protocol: str, pod: Json) -> int | None:
    if isinstance(target, int):
        return target
    sidecars = (one for one in pod["spec"].get("initContainers") or [] if one.get("restartPolicy") == "Always")
    for container in [*pod["spec"].get("containers", []), *sidecars]:
        for port in container.get("ports") or []:
            if port.get("name") == target and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return None
