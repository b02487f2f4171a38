"""Keeps the network in line with the Services: rules and names in the node container, listeners on the host."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
from collections.abc import Mapping
from typing import Any

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.errors import ClusterError
from shipline.cluster.events import WARNING, EventRecorder
from shipline.cluster.network import names, proxy
from shipline.cluster.network.endpoints import SLICES, ServicePort, headless_hosts, leaving_addresses, service_ports
from shipline.cluster.network.node import NodeContainer
from shipline.cluster.network.nodeports import NodePorts
from shipline.cluster.network.reach import Reach

Json = dict[str, Any]
log = logging.getLogger(__name__)


class ServiceNetwork:
    """Follows Services, EndpointSlices and configured names. `set_hosts` may be called at any time."""

    def __init__(
        self, api: Api, node: NodeContainer, reach: Reach, node_address: str, host_address: str, domain: str
    ) -> None:
        self._api = api
        self._node = node
        self._node_address = node_address
        self._domain = domain
        self._recorder = EventRecorder(api, "kube-proxy", "")
        self._node_ports = NodePorts(reach, host_address, self._complain)
        self._hosts: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._used: set[str] = set()
        self._leaving: set[str] = set()
        self._applied = asyncio.Event()
        self._rules = ""
        self._names = ""

    def set_hosts(self, hosts: Mapping[str, str]) -> None:
        """Further names for pods. A value is an address, or the name of a Service
        (`registry.shipline-registries.svc.cluster.local`) whose address is meant."""
        self._hosts = dict(hosts)
        self._changed.set()

    def again(self) -> None:
        """The node container is a new one: it knows nothing yet."""
        self._rules = self._names = ""
        self._changed.set()

    async def run(self) -> None:
        """Follow, for ever."""
        async with asyncio.TaskGroup() as group:
            for resource in ("services", SLICES):
                group.create_task(self._follow(resource))
            group.create_task(self._keep())

    async def withdrawn(self, address: str) -> None:
        """Wait until no new connection to a Service is led to `address`, whose pod has been told to go.

        An address that alone is left is used on, as long as it serves; it counts as withdrawn.
        """
        while address in self._used and address not in self._leaving:
            await self._applied.wait()

    async def _follow(self, resource: str) -> None:
        while True:
            with contextlib.suppress(ApiError):
                async for kind, obj in self._api.watch(resource):
                    self._changed.set()
                    if resource == "services" and kind != "DELETED":
                        self._check(obj)

    def _check(self, service: Json) -> None:
        """Say what of a Service is not honoured."""
        spec = service["spec"]
        lacking = [
            field for field in ("externalIPs", "loadBalancerIP", "loadBalancerSourceRanges") if spec.get(field)
        ]
        if spec.get("type") in ("LoadBalancer", "ExternalName"):
            lacking.append(f"type {spec['type']}")
        lacking += [
            f"node port {port['nodePort']}/{port['protocol']} on the host"
            for port in spec.get("ports") or []
            if port.get("nodePort") and port.get("protocol", "TCP") != "TCP"
        ]
        for what in lacking:
            self._recorder.event(service, WARNING, "NotSupported", f"{what} is not supported by this cluster")

    def _complain(self, port: ServicePort, message: str) -> None:
        log.warning("service %s/%s: %s", port.namespace, port.service, message)
        with contextlib.suppress(ApiError):
            service = self._api.get("services", port.namespace, port.service)
            self._recorder.event(service, WARNING, "NodePortUnavailable", message)

    async def _keep(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            ports = service_ports(self._api)
            leaving = leaving_addresses(self._api)
            self._used |= {address for port in ports for address, _ in port.backends}
            await self._node_ports.update(ports)
            try:
                await self._apply(ports)
                self._used = {address for port in ports for address, _ in port.backends}
                self._leaving = leaving
                self._applied.set()
                self._applied = asyncio.Event()
            except ClusterError as error:
                log.warning("the network is not up to date: %s", error)
                await asyncio.sleep(1)
                self.again()

    async def _apply(self, ports: list[ServicePort]) -> None:
        """Bring rules and names into the node container where they have changed."""
        rules = proxy.rules(ports, self._node_address)
        hosts = names.hosts_file(ports, headless_hosts(self._api), self._resolved(), self._domain)
        if rules != self._rules:
            script = f"{_decoded(rules)} | iptables-restore --noflush &&\n"
            script += "{\n" + proxy.hooks() + "\n" + proxy.sweep(ports) + "\n}"
            await self._node.run(script)
            self._rules = rules
        if hosts != self._names:
            reload = "while [ ! -e /run/shipline/dnsmasq.pid ]; do sleep 0.02; done; "
            reload += "kill -HUP $(cat /run/shipline/dnsmasq.pid)"
            await self._node.run(f"{_decoded(hosts)} >/run/shipline/hosts && {reload}")
            self._names = hosts

    def _resolved(self) -> dict[str, str]:
        resolved = {}
        for name, target in self._hosts.items():
            labels = target.split(".")
            if len(labels) > 2 and labels[2] == "svc":
                with contextlib.suppress(ApiError):
                    resolved[name] = self._api.get("services", labels[1], labels[0])["spec"]["clusterIP"]
            else:
                resolved[name] = target
        return resolved

    async def close(self) -> None:
        """Stop listening on the host."""
        await self._node_ports.close()


def mappings(config_map: Json) -> tuple[dict[str, str], dict[str, str]]:
    """(registry name -> endpoint, host name -> address or Service) of the ConfigMap `shipline-registries`.

    Each value is JSON: {"name": ..., "endpoint": "127.0.0.1:PORT", "address": ...}; the last two may be absent.
    """
    endpoints, hosts = {}, {}
    for value in (config_map.get("data") or {}).values():
        entry = json.loads(value)
        if entry.get("endpoint"):
            endpoints[entry["name"]] = entry["endpoint"]
        if entry.get("address"):
            hosts[entry["name"].partition(":")[0]] = entry["address"]
    return endpoints, hosts


def _decoded(text: str) -> str:
    """Shell words that print `text`, whatever is in it."""
    return f"echo {base64.b64encode(text.encode()).decode()} | base64 -d"
