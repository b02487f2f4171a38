"""The Endpoints of each Service with a selector: the older form of what EndpointSlices say, for those who
read that.

Endpoints that a person made for a Service without a selector go the other way: they are mirrored into an
EndpointSlice, where the service proxy finds them.
"""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.controllers.backends import HEADLESS, Backend, backends, is_headless, services_of
from shipline.cluster.controllers.endpointslices import MANAGED_BY, SERVICE_NAME, SLICES
from shipline.cluster.controllers.loop import Json, Loop
from shipline.cluster.controllers.workqueue import Key

MANAGED = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
MIRROR = "endpointslicemirroring-controller.k8s.io"
SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"


class EndpointsController:
    """Writes the Endpoints of Services that have a selector."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def loop(self) -> Loop:
        return (
            Loop("endpoint-controller", self._api, self.reconcile)
            .follow("services")
            .follow("pods", lambda pod: services_of(self._api, pod))
            .follow("endpoints")
        )

    def reconcile(self, key: Key) -> None:
        """Bring the Endpoints of one Service up to date; delete those of a Service that has gone."""
        before = _find(self._api, "endpoints", *key)
        service = _find(self._api, "services", *key)
        if service is None:
            if before is not None and MANAGED.items() <= (before["metadata"].get("labels") or {}).items():
                self._api.delete("endpoints", *key)
            return
        if not service["spec"].get("selector"):
            return
        labels = {**(service["metadata"].get("labels") or {}), **MANAGED}
        if is_headless(service):
            labels[HEADLESS] = ""
        subsets = desired(service, backends(self._api, service))
        if before is None:
            metadata = {"name": key[1], "labels": labels}
            self._api.create("endpoints", key[0], {"metadata": metadata, "subsets": subsets})
            return
        after = {**before, "metadata": {**before["metadata"], "labels": labels}, "subsets": subsets}
        if not subsets and "subsets" not in before:
            del after["subsets"]
        if after != before:
            self._api.update("endpoints", key[0], after)


def desired(service: Json, pods: list[Backend]) -> list[Json]:
    """The subsets: pods with the same ports together, those that take requests apart from those that don't."""
    groups: dict[tuple[Any, ...], list[Backend]] = {}
    for pod in pods:
        if pod.tolerated or not pod.terminating:
            groups.setdefault(pod.ports, []).append(pod)
    subsets = []
    for ports, members in sorted(groups.items()):
        subset: Json = {}
        for field, wanted in (("addresses", True), ("notReadyAddresses", False)):
            some = [_address(service, one) for one in members if one.takes_requests == wanted]
            if some:
                subset[field] = sorted(some, key=lambda one: [int(part) for part in one["ip"].split(".")])
        if ports:
            subset["ports"] = [_port(*port) for port in ports]
        subsets.append(subset)
    return subsets


def _address(service: Json, backend: Backend) -> Json:
    address: Json = {"ip": backend.address, "targetRef": backend.target}
    if backend.pod["spec"].get("nodeName"):
        address["nodeName"] = backend.pod["spec"]["nodeName"]
    if hostname := backend.hostname(service):
        address["hostname"] = hostname
    return address


def _port(name: str, protocol: str, number: int, application: str) -> Json:
    port: Json = {"port": number, "protocol": protocol}
    if name:
        port["name"] = name
    if application:
        port["appProtocol"] = application
    return port


class EndpointsMirror:
    """Copies Endpoints that people made into EndpointSlices."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def loop(self) -> Loop:
        return Loop("endpointslice-mirroring", self._api, self.reconcile).follow("endpoints").follow("services")

    def reconcile(self, key: Key) -> None:
        """Bring the mirror of one Endpoints up to date."""
        endpoints = _find(self._api, "endpoints", *key)
        service = _find(self._api, "services", *key)
        wanted = []
        if endpoints is not None and service is not None and _is_mirrored(endpoints, service):
            wanted = [_mirrored(endpoints, subset) for subset in endpoints.get("subsets") or []]
        selector = f"{SERVICE_NAME}={key[1]},{MANAGED_BY}={MIRROR}"
        present = [stored.copy() for stored in self._api.select(SLICES, key[0], selector)]
        for slice in wanted:
            if not present:
                self._api.create(SLICES, key[0], slice)
                continue
            before = present.pop(0)
            after = {**before, "endpoints": slice["endpoints"], "ports": slice["ports"]}
            if after != before:
                self._api.update(SLICES, key[0], after)
        for leftover in present:
            self._api.delete(SLICES, key[0], leftover["metadata"]["name"])


def _is_mirrored(endpoints: Json, service: Json) -> bool:
    """The API server's own Endpoints come with a slice of their own."""
    labels = endpoints["metadata"].get("labels") or {}
    return not service["spec"].get("selector") and labels.get(SKIP_MIRROR) != "true"


def _mirrored(endpoints: Json, subset: Json) -> Json:
    metadata = endpoints["metadata"]
    owner = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    members = []
    for field, ready in (("addresses", True), ("notReadyAddresses", False)):
        for address in subset.get(field) or []:
            member: Json = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
            for kept in ("hostname", "nodeName", "targetRef"):
                if address.get(kept):
                    member[kept] = address[kept]
            members.append(member)
    labels = {**(metadata.get("labels") or {}), SERVICE_NAME: metadata["name"], MANAGED_BY: MIRROR}
    return {
        "metadata": {"generateName": f"{metadata['name']}-", "labels": labels, "ownerReferences": [owner]},
        "addressType": "IPv4",
        "endpoints": members,
        "ports": [{"name": "", "protocol": "TCP", **port} for port in subset.get("ports") or []],
    }


def _find(api: Api, resource: str, namespace: str, name: str) -> Json | None:
    try:
        return api.get(resource, namespace, name)
    except ApiError:
        return None
