"""Pods as rows: what a pod is doing, in one word.

The word comes from the phase, overridden by the pod's reason, by the first init container that isn't done, by
its containers' states, and by a deletion that is under way.
"""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.tables.columns import AGE, NAME, NONE, Column, Layout, age, since, wide

Json = dict[str, Any]


def _is_sidecar(container: Json | None) -> bool:
    return bool(container and container.get("restartPolicy") == "Always")


def _ending(terminated: Json) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


class _Summary:
    """One pod, read once: its word, its restarts and how many containers are ready."""

    def __init__(self, pod: Json) -> None:
        self.spec: Json = pod.get("spec") or {}
        self.status: Json = pod.get("status") or {}
        self.sidecars = {c["name"] for c in self.spec.get("initContainers") or () if _is_sidecar(c)}
        self.total = len(self.spec.get("containers") or ()) + len(self.sidecars)
        self.ready = 0
        self.word = self.status.get("reason") or self.status.get("phase") or ""
        conditions = {c["type"]: c for c in self.status.get("conditions") or ()}
        if conditions.get("PodScheduled", {}).get("reason") == "SchedulingGated":
            self.word = "SchedulingGated"
        statuses = self.status.get("initContainerStatuses") or []
        seen, initializing = self._init(statuses)
        if not initializing or conditions.get("Initialized", {}).get("status") == "True":
            seen = [s for s in seen if s["name"] in self.sidecars]
            seen += self._main(conditions.get("Ready", {}).get("status") == "True")
        self.restarts = sum(status.get("restartCount", 0) for status in seen)
        ends = [((s.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or "" for s in seen]
        self.last_restart = max(ends, default="")
        if pod["metadata"].get("deletionTimestamp"):
            if self.status.get("reason") == "NodeLost":
                self.word = "Unknown"
            elif self.status.get("phase") not in ("Succeeded", "Failed"):
                self.word = "Terminating"

    def _init(self, statuses: list[Json]) -> tuple[list[Json], bool]:
        """The init containers looked at, and whether one of them still holds the pod back."""
        for index, status in enumerate(statuses):
            state = status.get("state") or {}
            ended, waiting = state.get("terminated"), state.get("waiting") or {}
            if ended is not None and ended.get("exitCode", 0) == 0:
                continue
            if status["name"] in self.sidecars and status.get("started"):
                self.ready += bool(status.get("ready"))
                continue
            if ended is not None:
                self.word = f"Init:{_ending(ended)}"
            elif waiting.get("reason") and waiting["reason"] != "PodInitializing":
                self.word = f"Init:{waiting['reason']}"
            else:
                self.word = f"Init:{index}/{len(self.spec.get('initContainers') or ())}"
            return statuses[: index + 1], True
        return statuses, False

    def _main(self, pod_ready: bool) -> list[Json]:
        statuses: list[Json] = self.status.get("containerStatuses") or []
        running, failure = False, ""
        for status in reversed(statuses):
            state = status.get("state") or {}
            waiting, ended = state.get("waiting") or {}, state.get("terminated")
            if waiting.get("reason"):
                self.word = waiting["reason"]
            elif ended is not None:
                self.word = _ending(ended)
                if ended.get("exitCode", 0) != 0:
                    failure = self.word
            elif status.get("ready") and "running" in state:
                running = True
                self.ready += 1
        if self.word == "Completed":
            if running and pod_ready:
                self.word = "Running"
            elif failure:
                self.word = failure
            elif running:
                self.word = "NotReady"
        return statuses

    def gates(self) -> str:
        """Readiness gates that are open, of all."""
        gates = [gate["conditionType"] for gate in self.spec.get("readinessGates") or ()]
        true = {c["type"] for c in self.status.get("conditions") or () if c.get("status") == "True"}
        return f"{sum(gate in true for gate in gates)}/{len(gates)}" if gates else NONE


def _cells(pod: Json) -> list[Any]:
    summary = _Summary(pod)
    restarts = str(summary.restarts)
    if summary.restarts and summary.last_restart:
        restarts = f"{restarts} ({since(summary.last_restart)} ago)"
    addresses = summary.status.get("podIPs") or []
    return [
        pod["metadata"]["name"],
        f"{summary.ready}/{summary.total}",
        summary.word,
        restarts,
        age(pod),
        (addresses[0].get("ip") if addresses else "") or NONE,
        summary.spec.get("nodeName") or NONE,
        summary.status.get("nominatedNodeName") or NONE,
        summary.gates(),
    ]


def _conditions(pod: Json) -> list[Json]:
    phase = (pod.get("status") or {}).get("phase")
    if phase not in ("Succeeded", "Failed"):
        return []
    message = "The pod has completed successfully." if phase == "Succeeded" else "The pod failed."
    return [{"type": "Completed", "status": "True", "reason": phase, "message": message}]


LAYOUT = Layout(
    (
        NAME,
        Column("Ready", description="Containers that are ready, of all."),
        Column("Status", description="What the pod is doing, in one word."),
        Column("Restarts", description="How often its containers were restarted, and when last."),
        AGE,
        *wide("IP", "Node", "Nominated Node", "Readiness Gates"),
    ),
    _cells,
    _conditions,
)
