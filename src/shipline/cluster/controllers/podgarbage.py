"""Pods that nobody will ever report on again: those of a node that has gone, those told to go before they had
a node."""

from __future__ import annotations

import time

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.controllers import podstate
from shipline.cluster.controllers.loop import Json, Loop, key_of
from shipline.cluster.controllers.workqueue import Key

QUARANTINE = 40.0
"""Seconds that a node has to be missing before its pods count as lost: it may be about to register."""

KEPT_FINISHED = 12500
"""The most finished pods that are kept."""


class PodGarbage:
    """Removes pods that no kubelet will remove."""

    def __init__(self, api: Api, quarantine: float = QUARANTINE) -> None:
        self._api = api
        self._quarantine = quarantine
        self._missed: dict[str, float] = {}
        """node -> since when it is missing (monotonic)."""

    def loop(self) -> Loop:
        return (
            Loop("pod-garbage", self._api, self.reconcile)
            .follow("pods", lambda pod: [key_of(pod)] if self._is_lost(pod) else [])
            .follow("nodes", lambda node: self._on(node["metadata"]["name"]))
        )

    def _on(self, node: str) -> list[Key]:
        if self._has_node(node):
            return []
        pods = (stored.obj for stored in self._api.select("pods"))
        return [key_of(pod) for pod in pods if pod["spec"].get("nodeName") == node]

    def _has_node(self, name: str) -> bool:
        try:
            self._api.stored("nodes", None, name)
        except ApiError:
            return False
        self._missed.pop(name, None)
        return True

    def _is_lost(self, pod: Json) -> bool:
        node = pod["spec"].get("nodeName")
        if not node:
            return bool(pod["metadata"].get("deletionTimestamp"))
        return podstate.is_finished(pod) or not self._has_node(node)

    def reconcile(self, key: Key) -> float | None:
        """Remove one pod if nobody else will; the oldest of the finished ones if they are too many."""
        try:
            pod = self._api.get("pods", *key)
        except ApiError:
            return None
        node = pod["spec"].get("nodeName")
        if node and not self._has_node(node):
            left = self._missed.setdefault(node, time.monotonic()) + self._quarantine - time.monotonic()
            if left > 0:
                return left
            self._remove(pod)
        elif not node and pod["metadata"].get("deletionTimestamp"):
            self._remove(pod)
        elif podstate.is_finished(pod):
            self._thin_out()
        return None

    def _remove(self, pod: Json) -> None:
        namespace, name = key_of(pod)
        if not podstate.is_finished(pod):
            self._api.update_status("pods", namespace, {**pod, "status": {**pod["status"], "phase": "Failed"}})
        self._api.delete("pods", namespace, name, grace_period=0)

    def _thin_out(self) -> None:
        pods = [stored.obj for stored in self._api.select("pods") if podstate.is_finished(stored.obj)]
        if len(pods) <= KEPT_FINISHED:
            return
        pods.sort(key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
        for pod in pods[: len(pods) - KEPT_FINISHED]:
            self._api.delete("pods", *key_of(pod), grace_period=0)
