"""The scheduler: gives each pod a node that can take it, or says in a condition and an Event why none can.

There is one node as a rule, so nothing is scored: the first that fits is taken. Pods are tried again when a node
changes or another pod has left.
"""

from __future__ import annotations

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.api.names import timestamp
from shipline.cluster.controllers import podstate
from shipline.cluster.controllers.fitting import Candidate, obstacles
from shipline.cluster.controllers.loop import Json, Loop, key_of
from shipline.cluster.controllers.workqueue import Key
from shipline.cluster.events import NORMAL, WARNING, EventRecorder

NAME = "default-scheduler"


class Scheduler:
    """Binds pods to nodes."""

    def __init__(self, api: Api, host: str = "") -> None:
        self._api = api
        self._events = EventRecorder(api, NAME, host)

    def loop(self) -> Loop:
        return (
            Loop("scheduler", self._api, self.reconcile)
            .follow("pods", self._concerned)
            .follow("nodes", lambda _: self._waiting())
        )

    def _concerned(self, pod: Json) -> list[Key]:
        """A pod without a node; or, where a pod has ended, all that wait for room."""
        if _is_waiting(pod):
            return [key_of(pod)]
        return self._waiting() if podstate.is_finished(pod) or not self._exists(pod) else []

    def _exists(self, pod: Json) -> bool:
        try:
            self._api.stored("pods", *key_of(pod))
        except ApiError:
            return False
        return True

    def _waiting(self) -> list[Key]:
        return [key_of(stored.obj) for stored in self._api.select("pods") if _is_waiting(stored.obj)]

    def reconcile(self, key: Key) -> None:
        """Find a node for one pod."""
        try:
            pod = self._api.get("pods", *key)
        except ApiError as error:
            if error.status_code == 404:
                return
            raise
        if not _is_waiting(pod):
            return
        if pod["spec"].get("schedulingGates"):
            message = "Scheduling is blocked due to non-empty scheduling gates"
            self._note(pod, "SchedulingGated", message)
            return
        pods = [stored.obj for stored in self._api.select("pods")]
        found: dict[str, int] = {}
        preemption: dict[str, int] = {}
        nodes = self._api.select("nodes")
        for node in nodes:
            name = node.obj["metadata"]["name"]
            candidate = Candidate(node.obj, [one for one in pods if _takes_room(one, name)])
            reasons, lasting = obstacles(pod, candidate)
            if not reasons:
                self._bind(pod, name)
                return
            for reason in reasons:
                found[reason] = found.get(reason, 0) + 1
            remedy = _NOT_HELPFUL if lasting else _NO_VICTIMS
            preemption[remedy] = preemption.get(remedy, 0) + 1
        self._refuse(pod, len(nodes), found, preemption)

    def _bind(self, pod: Json, node: str) -> None:
        namespace, name = key_of(pod)
        self._api.bind(namespace, name, node)
        message = f"Successfully assigned {namespace}/{name} to {node}"
        self._events.event(pod, NORMAL, "Scheduled", message, action="Binding")

    def _refuse(self, pod: Json, nodes: int, found: dict[str, int], preemption: dict[str, int]) -> None:
        message = "no nodes available to schedule pods"
        if nodes:
            message = (
                f"0/{nodes} nodes are available: {_listed(found)}. no new claims to deallocate, "
                f"preemption: 0/{nodes} nodes are available: {_listed(preemption)}."
            )
        if self._note(pod, "Unschedulable", message):
            self._events.event(pod, WARNING, "FailedScheduling", message, action="Scheduling")

    def _note(self, pod: Json, reason: str, message: str) -> bool:
        """Write into the pod's conditions why it has no node; False if that stands there already."""
        present = podstate.condition(pod, "PodScheduled")
        if present is not None and (present.get("reason"), present.get("message")) == (reason, message):
            return False
        conditions = [one for one in pod["status"].get("conditions") or [] if one["type"] != "PodScheduled"]
        refused = {
            "type": "PodScheduled",
            "observedGeneration": pod["metadata"].get("generation", 1),
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": present["lastTransitionTime"] if present else timestamp(),
            "reason": reason,
            "message": message,
        }
        pod["status"]["conditions"] = [*conditions, refused]
        self._api.update_status("pods", pod["metadata"]["namespace"], pod)
        return True


_NOT_HELPFUL = "Preemption is not helpful for scheduling"
_NO_VICTIMS = "No preemption victims found for incoming pod"


def _is_waiting(pod: Json) -> bool:
    spec = pod["spec"]
    return not spec.get("nodeName") and podstate.is_active(pod) and spec.get("schedulerName", NAME) == NAME


def _takes_room(pod: Json, node: str) -> bool:
    return pod["spec"].get("nodeName") == node and not podstate.is_finished(pod)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
