"""Whether a node can take a pod: readiness for scheduling, taints, node selection, host ports, resources, affinity.

What preferences would say is left out, for it only orders nodes that fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shipline.cluster.api.quantities import value as amount
from shipline.cluster.api.selectors import match_labels

Json = dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """A node and the pods that take room on it."""

    node: Json
    pods: list[Json]

    @property
    def labels(self) -> dict[str, str]:
        return self.node["metadata"].get("labels") or {}


def obstacles(pod: Json, candidate: Candidate) -> tuple[list[str], bool]:
    """Why the node cannot take the pod, in the scheduler's words (empty: it can), and whether that would stay so if
    other pods went."""
    spec = pod["spec"]
    node_spec = candidate.node.get("spec") or {}
    taints = [taint for taint in node_spec.get("taints") or [] if taint["effect"] in ("NoSchedule", "NoExecute")]
    tolerations = spec.get("tolerations") or []
    if node_spec.get("unschedulable") and not _tolerated(
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, tolerations
    ):
        return ["node(s) were unschedulable"], True
    if not all(_tolerated(taint, tolerations) for taint in taints):
        return ["node(s) had untolerated taint(s)"], True
    if not _selects_node(spec, candidate):
        return ["node(s) didn't match Pod's node affinity/selector"], True
    if _ports(pod) & {port for other in candidate.pods for port in _ports(other)}:
        return ["node(s) didn't have free ports for the requested pod ports"], False
    missing, lasting = _insufficient(pod, candidate)
    if missing:
        return missing, lasting
    return _apart(pod, candidate)


def _tolerated(taint: Json, tolerations: list[Json]) -> bool:
    return any(tolerates(toleration, taint) for toleration in tolerations)


def tolerates(toleration: Json, taint: Json) -> bool:
    """Whether a toleration covers a taint: no key stands for all keys, no effect for all effects."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def _selects_node(spec: Json, candidate: Candidate) -> bool:
    wanted = spec.get("nodeSelector") or {}
    if not wanted.items() <= candidate.labels.items():
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_term_selects(term, candidate) for term in required.get("nodeSelectorTerms") or [])


def _term_selects(term: Json, candidate: Candidate) -> bool:
    """Whether all of a term's requirements hold. A term without any selects nothing."""
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    name = {"metadata.name": candidate.node["metadata"]["name"]}
    return match_labels({"matchExpressions": expressions})(candidate.labels) and match_labels(
        {"matchExpressions": fields}
    )(name)


def _ports(pod: Json) -> set[tuple[str, str, int]]:
    """The ports of the host that a pod takes: address, protocol, number."""
    return {
        (port.get("hostIP") or "0.0.0.0", port.get("protocol", "TCP"), port["hostPort"])
        for container in pod["spec"].get("containers") or []
        for port in container.get("ports") or []
        if port.get("hostPort")
    }


def requests(pod: Json) -> dict[str, Decimal]:
    """What a pod asks for: the sum of its containers, or what its init containers need at once if that is more."""
    spec = pod["spec"]
    together: dict[str, Decimal] = {}
    peak: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or []:
        asked = _asked(container)
        if container.get("restartPolicy") == "Always":  # runs on beside the others
            _add(together, asked)
            _raise(peak, together)
        else:
            _raise(peak, {name: asked.get(name, Decimal(0)) + together.get(name, Decimal(0)) for name in asked})
    for container in spec.get("containers") or []:
        _add(together, _asked(container))
    _raise(together, peak)
    _add(together, {name: amount(value) for name, value in (spec.get("overhead") or {}).items()})
    return together


def _asked(container: Json) -> dict[str, Decimal]:
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: amount(value) for name, value in asked.items()}


def _add(to: dict[str, Decimal], more: dict[str, Decimal]) -> None:
    for name, value in more.items():
        to[name] = to.get(name, Decimal(0)) + value


def _raise(to: dict[str, Decimal], least: dict[str, Decimal]) -> None:
    for name, value in least.items():
        to[name] = max(to.get(name, Decimal(0)), value)


def _insufficient(pod: Json, candidate: Candidate) -> tuple[list[str], bool]:
    status = candidate.node.get("status") or {}
    room = {name: amount(value) for name, value in (status.get("allocatable") or {}).items()}
    if "pods" in room and len(candidate.pods) + 1 > room["pods"]:
        return ["Too many pods"], False
    wanted = {name: value for name, value in requests(pod).items() if value > 0}
    taken: dict[str, Decimal] = {}
    for other in candidate.pods:
        _add(taken, requests(other))
    short = [name for name in wanted if wanted[name] > room.get(name, Decimal(0)) - taken.get(name, Decimal(0))]
    lasting = any(wanted[name] > room.get(name, Decimal(0)) for name in short)
    return [f"Insufficient {name}" for name in short], lasting


def _apart(pod: Json, candidate: Candidate) -> tuple[list[str], bool]:
    """Affinity between pods: with one node, every topology the node has a label for is that node."""
    affinity = pod["spec"].get("affinity") or {}
    for term in _required(affinity, "podAffinity"):
        others = _matching(term, pod, candidate.pods)
        if term["topologyKey"] not in candidate.labels or not (others or _matching(term, pod, [pod])):
            return ["node(s) didn't match pod affinity rules"], True
    for term in _required(affinity, "podAntiAffinity"):
        if term["topologyKey"] in candidate.labels and _matching(term, pod, candidate.pods):
            return ["node(s) didn't match pod anti-affinity rules"], False
    for other in candidate.pods:
        for term in _required(other["spec"].get("affinity") or {}, "podAntiAffinity"):
            if term["topologyKey"] in candidate.labels and _matching(term, other, [pod]):
                return ["node(s) didn't satisfy existing pods anti-affinity rules"], False
    for constraint in pod["spec"].get("topologySpreadConstraints") or []:
        if constraint["whenUnsatisfiable"] == "DoNotSchedule" and constraint["topologyKey"] not in candidate.labels:
            return ["node(s) didn't match pod topology spread constraints (missing required label)"], True
    return [], False


def _required(affinity: Json, kind: str) -> list[Json]:
    return (affinity.get(kind) or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or []


def _matching(term: Json, owner: Json, pods: list[Json]) -> list[Json]:
    """The pods that a term of `owner`'s affinity means."""
    selects = match_labels(term.get("labelSelector"))
    namespaces = term.get("namespaces") or [owner["metadata"]["namespace"]]
    everywhere = term.get("namespaceSelector") == {}
    return [
        pod
        for pod in pods
        if (everywhere or pod["metadata"]["namespace"] in namespaces)
        and selects(pod["metadata"].get("labels") or {})
    ]
