"""The life of nodes: a node whose kubelet has been silent for too long is marked, and its pods are moved away.

The kubelet renews its Lease every few seconds. What counts is how long ago this process saw it renewed, not
the time written there: after a pause of the whole machine nobody is declared dead for having slept.
"""

from __future__ import annotations

import time

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.api.names import timestamp
from shipline.cluster.controllers import podstate
from shipline.cluster.controllers.fitting import tolerates
from shipline.cluster.controllers.loop import Json, Loop
from shipline.cluster.controllers.workqueue import Key
from shipline.cluster.events import NORMAL, EventRecorder

LEASES = "leases.coordination.k8s.io"
LEASE_NAMESPACE = "kube-node-lease"
GRACE = 40.0
"""Seconds of silence after which nothing is known of a node."""

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
SILENT = "Kubelet stopped posting node status."


class NodeController:
    """Follows nodes and their Leases; keys are ("", node)."""

    def __init__(self, api: Api, grace: float = GRACE) -> None:
        self._api = api
        self._grace = grace
        self._events = EventRecorder(api, "node-controller")
        self._heard: dict[str, tuple[str, float]] = {}
        """node -> the renewTime last seen and when it was seen (monotonic)."""
        self._known: set[str] = set()
        self._tainted: dict[tuple[str, str], float] = {}
        """(node, taint) -> since when (monotonic)."""

    def loop(self) -> Loop:
        return (
            Loop("node-controller", self._api, self.reconcile)
            .follow("nodes", lambda node: [("", node["metadata"]["name"])])
            .follow(LEASES, self._of_lease)
        )

    def _of_lease(self, lease: Json) -> list[Key]:
        metadata = lease["metadata"]
        if metadata["namespace"] != LEASE_NAMESPACE:
            return []
        name = metadata["name"]
        renewed = str((lease.get("spec") or {}).get("renewTime"))
        heard = self._heard.get(name)
        if heard is not None and heard[0] == renewed:
            return []
        was_silent = heard is None or self._silence(name) >= self._grace
        self._heard[name] = (renewed, time.monotonic())
        return [("", name)] if was_silent else []

    def _silence(self, name: str) -> float:
        """Seconds since the node was last heard of; a node is first heard of when it is first seen."""
        return time.monotonic() - self._heard.setdefault(name, ("", time.monotonic()))[1]

    def reconcile(self, key: Key) -> float | None:
        """Judge one node; returns when it would have been silent for too long."""
        name = key[1]
        try:
            node = self._api.get("nodes", None, name)
        except ApiError:
            self._known.discard(name)
            self._heard.pop(name, None)
            return None
        if name not in self._known:
            self._known.add(name)
            message = f"Node {name} event: Registered Node {name} in Controller"
            self._events.event(node, NORMAL, "RegisteredNode", message)
        silence = self._silence(name)
        if silence >= self._grace:
            self._declare_unknown(node)
            node = self._api.get("nodes", None, name)
        waits = [self._grace - silence] if silence < self._grace else []
        self._taint(node)
        waits += self._evict(self._api.get("nodes", None, name))
        return min(waits, default=None)

    def _declare_unknown(self, node: Json) -> None:
        status = node.setdefault("status", {})
        conditions = [dict(one) for one in status.get("conditions") or []]
        for condition in conditions:
            if condition["status"] != "Unknown":
                condition |= {"status": "Unknown", "reason": "NodeStatusUnknown", "message": SILENT}
                condition["lastTransitionTime"] = timestamp()
        if conditions != status.get("conditions"):
            self._api.update_status("nodes", None, {**node, "status": {**status, "conditions": conditions}})

    def _taint(self, node: Json) -> None:
        """Let the taints say what the condition Ready says."""
        ready = podstate.condition(node, "Ready")
        state = "True" if ready is None else ready["status"]
        wanted = {"False": NOT_READY, "Unknown": UNREACHABLE}.get(state)
        spec = node.get("spec") or {}
        present = spec.get("taints") or []
        taints = [
            taint for taint in present if taint["key"] not in (NOT_READY, UNREACHABLE) or taint["key"] == wanted
        ]
        for effect in ("NoSchedule", "NoExecute") if wanted else ():
            if not any((taint["key"], taint["effect"]) == (wanted, effect) for taint in taints):
                taints.append({"key": wanted, "effect": effect, "timeAdded": timestamp()})
        if taints == present:
            return
        changed = {**spec, "taints": taints}
        if not taints:
            del changed["taints"]
        self._api.update("nodes", None, {**node, "spec": changed})

    def _evict(self, node: Json) -> list[float]:
        """Delete pods that don't tolerate a taint of effect NoExecute (any longer); the seconds the others
        have left."""
        name = node["metadata"]["name"]
        taints = [one for one in (node.get("spec") or {}).get("taints") or [] if one["effect"] == "NoExecute"]
        present = {(name, taint["key"]) for taint in taints}
        for gone in [one for one in self._tainted if one[0] == name and one not in present]:
            del self._tainted[gone]
        if not taints:
            return []
        waits = []
        for stored in self._api.select("pods"):
            pod = stored.obj
            if pod["spec"].get("nodeName") != name or not podstate.is_active(pod):
                continue
            left = min(self._tolerated_for(pod, name, taint) for taint in taints)
            if left <= 0:
                self._api.delete("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
            elif left != float("inf"):
                waits.append(left)
        return waits

    def _tolerated_for(self, pod: Json, node: str, taint: Json) -> float:
        """The seconds that a pod may still stay with a taint."""
        since = self._tainted.setdefault((node, taint["key"]), time.monotonic())
        fitting = [one for one in pod["spec"].get("tolerations") or [] if tolerates(one, taint)]
        if not fitting:
            return 0.0
        limits = [one["tolerationSeconds"] for one in fitting if one.get("tolerationSeconds") is not None]
        return since + min(limits) - time.monotonic() if limits else float("inf")
