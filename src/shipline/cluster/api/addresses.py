"""Cluster addresses and node ports: given out on create, kept on update, free again when the Service goes.

What is taken is read from the Services themselves, so there is nothing to repair.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable
from typing import Any

from shipline.cluster.api.errors import ApiError, invalid

Json = dict[str, Any]
Network = ipaddress.IPv4Network

NODE_PORTS = range(30000, 32768)
_WITH_ADDRESS = ("ClusterIP", "NodePort", "LoadBalancer")
_WITH_PORTS = ("NodePort", "LoadBalancer")


def allocate(service: Json, others: Iterable[Json], network: Network, old: Json | None = None) -> None:
    """Complete a Service in place. `others` are all other Services; `old` is its state before an update."""
    spec, taken = service["spec"], list(others)
    before = (old or {}).get("spec", {})
    if before and before.get("type") != spec["type"]:
        _drop_unfit(spec, before)
    if spec["type"] == "ExternalName":
        return
    if before.get("type") in _WITH_ADDRESS and not spec.get("clusterIP"):
        spec["clusterIP"] = before.get("clusterIP", "")
    _address(service, taken, network, before.get("clusterIP"))
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if spec["type"] in _WITH_PORTS:
        _node_ports(service, taken, before)


def _drop_unfit(spec: Json, before: Json) -> None:
    """A changed type takes along what the old type had and the new one cannot have, unless it was said anew."""
    if spec["type"] not in _WITH_PORTS:
        had = {port.get("nodePort") for port in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            if port.get("nodePort") in had:
                port.pop("nodePort", None)
        _drop_same(spec, before, ("externalTrafficPolicy", "allocateLoadBalancerNodePorts", "loadBalancerClass"))
    if spec["type"] == "ExternalName":
        _drop_same(
            spec, before, ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")
        )


def _drop_same(spec: Json, before: Json, fields: tuple[str, ...]) -> None:
    for field in fields:
        if field in spec and spec[field] == before.get(field):
            del spec[field]


def _address(service: Json, others: list[Json], network: Network, before: str | None) -> None:
    spec = service["spec"]
    wanted = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or ()), "")
    used = {other["spec"].get("clusterIP") for other in others}
    if wanted == "None":
        spec["clusterIP"], spec["clusterIPs"] = "None", ["None"]
        return
    if not wanted:
        wanted = _free(network, used)
    elif wanted != before:
        _check_address(service, wanted, network, used)
    spec["clusterIP"], spec["clusterIPs"] = wanted, [wanted]


def _free(network: Network, used: set[str | None]) -> str:
    """Any free address, past the first few that are for addresses asked for by name."""
    size = network.num_addresses
    reserved = min(max(16, size // 16), 256) if size > 64 else 1
    for _ in range(256):
        address = str(network[reserved + secrets.randbelow(size - reserved - 1)])
        if address not in used:
            return address
    free = next((str(a) for a in network.hosts() if str(a) not in used), None)
    if free is None:
        raise ApiError(500, "InternalError", "failed to allocate a serviceIP: range is full", {})
    return free


def _check_address(service: Json, wanted: str, network: Network, used: set[str | None]) -> None:
    name = service["metadata"].get("name", "")
    value = f'Invalid value: ["{wanted}"]: '
    try:
        inside = ipaddress.IPv4Address(wanted) in network
    except ValueError:
        return  # Validation speaks of malformed addresses.
    if not inside:
        why = f"failed to allocate IP {wanted}: the provided IP ({wanted}) is not in the valid range. "
        why += f"The range of valid IPs is {network}"
    elif wanted in used:
        why = f"failed to allocate IP {wanted}: provided IP is already allocated"
    else:
        return
    raise invalid("Service", "", name, [("FieldValueInvalid", "spec.clusterIPs", value + why)])


def _node_ports(service: Json, others: list[Json], before: Json) -> None:
    used = {
        (port.get("protocol", "TCP"), port["nodePort"])
        for other in others
        for port in other["spec"].get("ports") or ()
        if port.get("nodePort")
    }
    kept = {
        (port.get("protocol"), port.get("port"), port.get("name", "")): port.get("nodePort")
        for port in before.get("ports") or ()
    }
    if not service["spec"].get("allocateLoadBalancerNodePorts", True):
        return
    causes = []
    for index, port in enumerate(service["spec"].get("ports") or ()):
        protocol = port["protocol"]
        if not port.get("nodePort"):
            port["nodePort"] = kept.get((protocol, port["port"], port.get("name", ""))) or _free_port(
                used, protocol
            )
        number = port["nodePort"]
        field = f"spec.ports[{index}].nodePort"
        if number not in NODE_PORTS:
            why = "provided port is not in the valid range. The range of valid ports is 30000-32767"
            causes.append(("FieldValueInvalid", field, f"Invalid value: {number}: {why}"))
        elif (protocol, number) in used:
            causes.append(
                ("FieldValueInvalid", field, f"Invalid value: {number}: provided port is already allocated")
            )
        used.add((protocol, number))
    if causes:
        raise invalid("Service", "", service["metadata"].get("name", ""), causes)


def _free_port(used: set[tuple[str, int]], protocol: str) -> int:
    free = [port for port in NODE_PORTS if (protocol, port) not in used]
    if not free:
        raise ApiError(500, "InternalError", "failed to allocate a nodePort: range is full", {})
    return secrets.choice(free)
