"""A pod's status: phase and conditions, from the states of its containers."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.api.names import timestamp
from shipline.cluster.kubelet import resources
from shipline.cluster.kubelet.state import ContainerState

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A pod's end decided over its containers' heads: a deadline, an eviction."""

    reason: str
    message: str


def phase(pod: Json, init: Sequence[ContainerState], states: Sequence[ContainerState]) -> str:
    """Pending, Running, Succeeded or Failed."""
    policy = pod["spec"].get("restartPolicy", "Always")
    for one in init:
        if one.passed:
            continue
        if one.terminated and policy == "Never" and not one.sidecar:
            return "Failed"
        if not all(state.terminated or state.last for state in states):
            return "Pending"
    if any(one.waiting is not None and one.last is None for one in states):
        return "Pending"
    if any(one.running for one in states):
        return "Running"
    if policy == "Always" or any(one.waiting is not None for one in states):
        return "Running"
    if any(one.sidecar and one.running for one in init):
        return "Running"
    if all(one.succeeded for one in states):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def pod_status(
    pod: Json,
    init: Sequence[ContainerState],
    states: Sequence[ContainerState],
    *,
    sandbox: bool,
    addresses: tuple[str, str],
    verdict: Verdict | None = None,
) -> Json:
    """The whole status. `addresses` are the pod's ("" while it has none) and the node's; `sandbox`: it is up."""
    before = pod.get("status") or {}
    reached = phase(pod, init, states)
    decided = "Failed" if verdict is not None else reached
    if not any(one.running for one in states):
        reached = decided
    pod_ip, host_ip = addresses
    requests, together = resources.of_pod(pod["spec"])
    status: Json = {
        "phase": reached,
        "conditions": _conditions(pod, init, states, decided, sandbox),
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "observedGeneration": pod["metadata"].get("generation", 1),
        "qosClass": before.get("qosClass", "BestEffort"),
        "startTime": before.get("startTime") or timestamp(),
        "containerStatuses": [one.status() for one in states],
        "resources": together,
    }
    if requests:
        status["allocatedResources"] = requests
    if init:
        status["initContainerStatuses"] = [one.status() for one in init]
    if address := pod_ip or before.get("podIP", ""):
        status |= {"podIP": address, "podIPs": [{"ip": address}]}
    if verdict is not None and reached == "Failed":
        status |= {"reason": verdict.reason, "message": verdict.message}
    return status


def report(
    api: Api,
    pod: Json,
    init: Sequence[ContainerState],
    states: Sequence[ContainerState],
    *,
    sandbox: bool,
    addresses: tuple[str, str],
    verdict: Verdict | None,
) -> Json | None:
    """Write a pod's status where it has changed; the pod as it then is, None when the API has it no more."""
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    latest = api.look_up("pods", namespace, name)
    if latest is None or latest["metadata"]["uid"] != pod["metadata"]["uid"]:
        return None
    status = pod_status(latest, init, states, sandbox=sandbox, addresses=addresses, verdict=verdict)
    changed = latest | {"status": status}
    if status != latest.get("status"):
        with contextlib.suppress(ApiError):
            api.update_status("pods", namespace, changed)
    return changed


def _conditions(
    pod: Json, init: Sequence[ContainerState], states: Sequence[ContainerState], reached: str, sandbox: bool
) -> list[Json]:
    before = {condition["type"]: condition for condition in (pod.get("status") or {}).get("conditions") or []}
    generation = pod["metadata"].get("generation", 1)
    own = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"]
    ready = _ready(init, states, reached)
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or []]
    closed = [gate for gate in gates if before.get(gate, {}).get("status") != "True"]
    found = {
        "PodReadyToStartContainers": ("True" if sandbox else "False", "", ""),
        "Initialized": _initialized(init, reached),
        "Ready": _gated(ready, closed),
        "ContainersReady": ready,
    }
    conditions = []
    for kind in own:
        status, reason, message = found[kind]
        old = before.get(kind, {})
        same = old.get("status") == status
        conditions.append(
            {"type": kind, "status": status, "lastProbeTime": None, "observedGeneration": generation}
            | {"lastTransitionTime": old["lastTransitionTime"] if same else timestamp()}
            | ({"reason": reason} if reason else {})
            | ({"message": message} if message else {})
        )
    scheduled = before.get("PodScheduled") or {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": timestamp(),
    }
    others = [condition for kind, condition in before.items() if kind not in {*own, "PodScheduled"}]
    return [*others, *conditions, scheduled | {"observedGeneration": generation}]


def _initialized(init: Sequence[ContainerState], reached: str) -> tuple[str, str, str]:
    if reached == "Succeeded":
        return "True", "PodCompleted", ""
    waiting = [one.name for one in init if not one.passed]
    if not waiting:
        return "True", "", ""
    return "False", "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(waiting)}]"


def _ready(init: Sequence[ContainerState], states: Sequence[ContainerState], reached: str) -> tuple[str, str, str]:
    if reached == "Succeeded":
        return "False", "PodCompleted", ""
    if reached == "Failed":
        return "False", "PodFailed", ""
    unready = [one.name for one in (*(one for one in init if one.sidecar), *states) if not one.ready]
    if not unready:
        return "True", "", ""
    return "False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"


def _gated(ready: tuple[str, str, str], closed: list[str]) -> tuple[str, str, str]:
    if ready[0] != "True" or not closed:
        return ready
    listed = " ".join(f'corresponding condition of pod readiness gate "{gate}" does not exist.' for gate in closed)
    return "False", "ReadinessGatesNotReady", listed
