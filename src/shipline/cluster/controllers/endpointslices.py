"""The EndpointSlices of each Service with a selector: where its pods are and which of them take requests.

A pod that is told to go is marked in the same moment, in the turn of the event loop that follows its
deletion: whoever forwards requests drops it before it gets its signal.
"""

from __future__ import annotations

import json

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.controllers.backends import HEADLESS, Backend, backends, is_headless, services_of
from shipline.cluster.controllers.loop import Json, Loop
from shipline.cluster.controllers.ownership import controller_reference
from shipline.cluster.controllers.workqueue import Key

SLICES = "endpointslices.discovery.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER = "endpointslice-controller.k8s.io"
MOST = 100
"""The most endpoints in one slice."""


class EndpointSliceController:
    """Writes the slices of Services that have a selector."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def loop(self) -> Loop:
        return (
            Loop("endpointslice-controller", self._api, self.reconcile)
            .follow("services")
            .follow("pods", lambda pod: services_of(self._api, pod))
            .follow(SLICES, _service_of)
        )

    def reconcile(self, key: Key) -> None:
        """Bring the slices of one Service up to date."""
        try:
            service = self._api.stored("services", *key).obj
        except ApiError:
            return  # its slices go with their owner
        if not service["spec"].get("selector") or service["metadata"].get("deletionTimestamp"):
            return
        wanted = desired(service, backends(self._api, service))
        present = [
            stored.copy()
            for stored in self._api.select(SLICES, key[0], f"{SERVICE_NAME}={key[1]},{MANAGED_BY}={CONTROLLER}")
        ]
        for slice in wanted:
            same_ports = (one for one in present if one.get("ports") == slice["ports"])
            before = next(same_ports, present[0] if present else None)
            if before is None:
                self._api.create(SLICES, key[0], slice)
                continue
            present.remove(before)
            self._update(before, slice)
        for leftover in present:
            self._api.delete(SLICES, key[0], leftover["metadata"]["name"])

    def _update(self, before: Json, slice: Json) -> None:
        """Change what differs, keeping the endpoints that stay in their places."""
        known = {_identity(endpoint): place for place, endpoint in enumerate(before.get("endpoints") or [])}
        endpoints = sorted(slice["endpoints"], key=lambda one: known.get(_identity(one), len(known)))
        labels = slice["metadata"]["labels"]
        after = {**before, "endpoints": endpoints, "ports": slice["ports"]}
        after["metadata"] = {**before["metadata"], "labels": labels}
        if after != before:
            self._api.update(SLICES, before["metadata"]["namespace"], after)


def desired(service: Json, pods: list[Backend]) -> list[Json]:
    """The slices that a Service should have: one for each set of ports that its pods have, and for each 100
    of them. A Service without pods has an empty one, by which it is seen that somebody has looked."""
    groups: dict[str, list[Backend]] = {}
    for pod in pods:
        groups.setdefault(json.dumps(pod.ports), []).append(pod)
    slices = []
    for group in groups.values():
        for start in range(0, len(group), MOST):
            slices.append(_slice(service, group[start : start + MOST]))
    return slices or [_slice(service, [])]


def _slice(service: Json, pods: list[Backend]) -> Json:
    name = service["metadata"]["name"]
    labels = {**(service["metadata"].get("labels") or {}), MANAGED_BY: CONTROLLER, SERVICE_NAME: name}
    if is_headless(service):
        labels[HEADLESS] = ""
    ports = []
    for port_name, protocol, number, application in pods[0].ports if pods else ():
        port: Json = {"name": port_name, "protocol": protocol, "port": number}
        if application:
            port["appProtocol"] = application
        ports.append(port)
    return {
        "metadata": {
            "generateName": f"{name}-",
            "labels": labels,
            "ownerReferences": [controller_reference("v1", "Service", service)],
        },
        "addressType": "IPv4",
        "endpoints": [_endpoint(service, pod) for pod in pods],
        "ports": ports,
    }


def _endpoint(service: Json, backend: Backend) -> Json:
    endpoint: Json = {
        "addresses": [backend.address],
        "conditions": {
            "ready": backend.takes_requests,
            "serving": backend.ready,
            "terminating": backend.terminating,
        },
        "targetRef": backend.target,
    }
    if backend.pod["spec"].get("nodeName"):
        endpoint["nodeName"] = backend.pod["spec"]["nodeName"]
    if hostname := backend.hostname(service):
        endpoint["hostname"] = hostname
    return endpoint


def _identity(endpoint: Json) -> str:
    return str((endpoint.get("targetRef") or {}).get("uid", endpoint["addresses"]))


def _service_of(slice: Json) -> list[Key]:
    """The Service of one of our slices, which somebody may have tampered with."""
    metadata = slice["metadata"]
    labels = metadata.get("labels") or {}
    if labels.get(MANAGED_BY) != CONTROLLER or SERVICE_NAME not in labels:
        return []
    return [(metadata["namespace"], labels[SERVICE_NAME])]
