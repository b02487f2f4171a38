"""Services as the network needs them: each port with the addresses that answer for it.

The one place where Services and EndpointSlices are put together; iptables rules, DNS and node ports are made
from its values.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from shipline.cluster.api.machinery import Api

Json = dict[str, Any]

SLICES = "endpointslices.discovery.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service. `backends` are (address, port) that take new connections now; `sticky` is how many
    seconds a client stays with its backend, 0 for not at all."""

    namespace: str
    service: str
    name: str
    protocol: str
    address: str
    port: int
    node_port: int
    sticky: int
    backends: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Host:
    """A name inside a headless Service: a pod's `hostname`, or "" for the Service itself."""

    namespace: str
    service: str
    name: str
    address: str


def service_ports(api: Api) -> list[ServicePort]:
    """Every port that is reached by an address of the cluster, in a stable order."""
    slices = _slices(api)
    ports = []
    for stored in api.select("services"):
        service = stored.obj
        spec, metadata = service["spec"], service["metadata"]
        address = spec.get("clusterIP") or ""
        if address in ("", "None"):
            continue
        sticky = 0
        if spec.get("sessionAffinity") == "ClientIP":
            sticky = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds", 10800)
        of_service = slices.get((metadata["namespace"], metadata["name"]), [])
        for port in spec.get("ports") or []:
            name = port.get("name", "")
            ports.append(
                ServicePort(
                    metadata["namespace"],
                    metadata["name"],
                    name,
                    port.get("protocol", "TCP"),
                    address,
                    port["port"],
                    port.get("nodePort", 0),
                    sticky,
                    _backends(of_service, name),
                )
            )
    return ports


def headless_hosts(api: Api) -> list[Host]:
    """The names of headless Services and of the pods in them."""
    slices = _slices(api)
    hosts = []
    for stored in api.select("services"):
        metadata = stored.obj["metadata"]
        if stored.obj["spec"].get("clusterIP") != "None":
            continue
        namespace, service = metadata["namespace"], metadata["name"]
        unready = stored.obj["spec"].get("publishNotReadyAddresses", False)
        for slice in slices.get((namespace, service), []):
            for endpoint in slice.get("endpoints") or []:
                if not unready and not (endpoint.get("conditions") or {}).get("ready", True):
                    continue
                for address in endpoint["addresses"]:
                    hosts.append(Host(namespace, service, "", address))
                    if endpoint.get("hostname"):
                        hosts.append(Host(namespace, service, endpoint["hostname"], address))
    return hosts


def leaving_addresses(api: Api) -> set[str]:
    """The addresses of pods that have been told to go."""
    return {
        address
        for stored in api.select(SLICES)
        for endpoint in stored.obj.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("terminating")
        for address in endpoint["addresses"]
    }


def _slices(api: Api) -> dict[tuple[str, str], list[Json]]:
    found: defaultdict[tuple[str, str], list[Json]] = defaultdict(list)
    for stored in api.select(SLICES):
        metadata = stored.obj["metadata"]
        service = (metadata.get("labels") or {}).get(SERVICE_NAME)
        if service and stored.obj.get("addressType") == "IPv4":
            found[metadata["namespace"], service].append(stored.obj)
    return found


def _backends(slices: list[Json], name: str) -> tuple[tuple[str, int], ...]:
    """Ready addresses; where there are none, those that are on their way out but still serve."""
    ready, serving = set(), set()
    for slice in slices:
        numbers = [port["port"] for port in slice.get("ports") or [] if port.get("name", "") == name]
        for endpoint in slice.get("endpoints") or []:
            conditions = endpoint.get("conditions") or {}
            found = {(address, number) for address in endpoint["addresses"] for number in numbers}
            if conditions.get("ready", True):
                ready |= found
            elif conditions.get("serving") and conditions.get("terminating"):
                serving |= found
    return tuple(sorted(ready or serving))
