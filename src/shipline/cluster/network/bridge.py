"""The cluster's bridge: an engine network on a subnet that nothing else uses.

The lower half of the subnet is for pods, the upper half for Services. Pod addresses are given out here, not by
the engine, so that a pod's address is known before it exists.
"""

from __future__ import annotations

import contextlib
import ipaddress
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shipline.cluster import labels
from shipline.cluster.engine import ContainerEngine
from shipline.cluster.errors import ClusterError, ContainerEngineError

Json = dict[str, Any]
Address = ipaddress.IPv4Address
Network = ipaddress.IPv4Network

_SMALLEST = 26


class Bridge:
    """One network: `name` in the engine, `subnet`, and the addresses that have a fixed meaning."""

    def __init__(self, name: str, subnet: Network) -> None:
        self.name = name
        self.subnet = subnet
        self.pods, self.services = subnet.subnets(prefixlen_diff=1)
        self.gateway = str(subnet[1])
        self.node = str(subnet[2])
        self.api_service = str(self.services[1])
        self._taken: set[Address] = {subnet[0], subnet[1], subnet[2]}
        self._next = int(subnet[3])

    def allocate(self) -> str:
        """A free pod address; addresses just freed come last. ClusterError when there is none."""
        first, last = int(self.subnet[3]), int(self.pods[-1])
        for step in range(last - first):
            number = first + (self._next - first + step) % (last - first)
            if (address := Address(number)) not in self._taken:
                self._taken.add(address)
                self._next = number + 1
                return str(address)
        raise ClusterError(f"no free address is left for pods in {self.pods}")

    def claim(self, address: str) -> None:
        """An address that a running pod has."""
        self._taken.add(Address(address))

    def release(self, address: str) -> None:
        """Give an address back."""
        self._taken.discard(Address(address))


async def ensure(engine: ContainerEngine, cluster: str, subnet: str | None = None) -> Bridge:
    """The cluster's bridge, made where it isn't there; on `subnet`, or one that is free.

    Raises ClusterError when no subnet is free, or the one asked for is not.
    """
    name = f"shipline-{cluster}"
    with contextlib.suppress(ContainerEngineError):
        found = await engine.get(f"networks/{name}")
        return Bridge(name, Network(found["IPAM"]["Config"][0]["Subnet"]))
    used = [*_of_engine(await engine.get("networks")), *(_of_host() if engine.local else ())]
    candidates = [parsed(subnet)] if subnet else _candidates(cluster)
    for candidate in candidates:
        if any(candidate.overlaps(other) for other in used):
            continue
        try:
            await engine.post("networks/create", _request(name, cluster, candidate))
        except ContainerEngineError as error:
            if "overlap" in error.message or "already" in error.message:
                continue
            raise
        return Bridge(name, candidate)
    asked = subnet or "of 10.0.0.0/8"
    raise ClusterError(f"no network can be made: the subnet {asked} is in use. Choose another with --subnet.")


def parsed(subnet: str) -> Network:
    """A subnet as written by a person; ClusterError when it cannot be one of a cluster."""
    try:
        network = Network(subnet)
    except ValueError as error:
        raise ClusterError(f"the subnet {subnet} is none: {error}. Write it like 10.200.0.0/16.") from None
    if not 8 <= network.prefixlen <= _SMALLEST:
        raise ClusterError(f"the subnet {subnet} is too small or too large: give one of /8 to /{_SMALLEST}")
    return network


def _candidates(cluster: str) -> Iterable[Network]:
    """All /16 of 10/8 above the low ones that offices like, from one that depends on the cluster's name."""
    start = zlib.crc32(cluster.encode())
    return (Network(f"10.{64 + (start + step) % 190}.0.0/16") for step in range(190))


def _request(name: str, cluster: str, subnet: Network) -> Json:
    lower = next(subnet.subnets(prefixlen_diff=1))
    return {
        "Name": name,
        "Driver": "bridge",
        "CheckDuplicate": True,
        "Labels": {labels.CLUSTER: cluster},
        "IPAM": {"Config": [{"Subnet": str(subnet), "IPRange": str(lower), "Gateway": str(subnet[1])}]},
    }


def _of_engine(networks: list[Json]) -> list[Network]:
    subnets = []
    for network in networks:
        for config in (network.get("IPAM") or {}).get("Config") or []:
            with contextlib.suppress(ValueError):
                subnets.append(Network(config.get("Subnet", "")))
    return subnets


def _of_host() -> list[Network]:
    """What this machine has routes to (Linux; elsewhere the engine's own networks have to do)."""
    table = Path("/proc/net/route")
    routes = []
    for line in table.read_text().splitlines()[1:] if table.exists() else ():
        _, destination, _, _, _, _, _, mask, *_ = line.split()
        network = Network((_backwards(destination), str(Address(_backwards(mask)))))
        if network.prefixlen > 0:
            routes.append(network)
    return routes


def _backwards(text: str) -> int:
    return int.from_bytes(bytes.fromhex(text), "little")
