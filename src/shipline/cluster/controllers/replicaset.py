"""The ReplicaSet controller: as many pods as asked for, no more and no fewer."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.api.names import timestamp
from shipline.cluster.api.selectors import match_labels
from shipline.cluster.controllers import podstate
from shipline.cluster.controllers.loop import Json, Loop, key_of
from shipline.cluster.controllers.ownership import claim, controller_of, controller_reference
from shipline.cluster.controllers.workqueue import Key
from shipline.cluster.events import NORMAL, WARNING, EventRecorder

REPLICASETS = "replicasets.apps"
BURST = 500
"""The most pods made or deleted at one go."""

COST = "controller.kubernetes.io/pod-deletion-cost"


class ReplicaSetController:
    """Makes and deletes pods until their number is the one asked for, and reports what there is."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._events = EventRecorder(api, "replicaset-controller")

    def loop(self) -> Loop:
        return (
            Loop("replicaset-controller", self._api, self.reconcile)
            .follow(REPLICASETS)
            .follow("pods", self._concerned)
        )

    def _concerned(self, pod: Json) -> list[Key]:
        """The ReplicaSet that controls the pod; for an orphan all those that would have it."""
        namespace = pod["metadata"]["namespace"]
        owner = controller_of(pod)
        if owner is not None:
            return [(namespace, owner["name"])] if owner["kind"] == "ReplicaSet" else []
        labels = pod["metadata"].get("labels") or {}
        if not labels:
            return []
        sets = (stored.obj for stored in self._api.select(REPLICASETS, namespace))
        return [key_of(one) for one in sets if match_labels(one["spec"]["selector"])(labels)]

    def reconcile(self, key: Key) -> float | None:
        """Bring one ReplicaSet's pods to the number asked for; returns when the next of them becomes available."""
        try:
            replicaset = self._api.get(REPLICASETS, *key)
        except ApiError as error:
            if error.status_code == 404:
                return None
            raise
        leaving = bool(replicaset["metadata"].get("deletionTimestamp"))
        matches = match_labels(replicaset["spec"]["selector"])
        if not matches(replicaset["spec"]["template"]["metadata"].get("labels") or {}):
            return None  # as for Deployments: its pods would never count
        pods = claim(
            self._api,
            "pods",
            controller_reference("apps/v1", "ReplicaSet", replicaset),
            not leaving,
            matches,
            (stored.copy() for stored in self._api.select("pods", key[0])),
        )
        active = [pod for pod in pods if podstate.is_active(pod)]
        terminating = sum(podstate.is_terminating(pod) for pod in pods)
        failure: Json | None = None
        refused: ApiError | None = None
        if not leaving:
            try:
                self._fill(replicaset, active)
            except ApiError as error:
                failure, refused = _failure(replicaset, active, error), error
        self._report(replicaset, active, terminating, failure)
        if refused is not None:
            raise refused  # and be tried again
        return _next_availability(active, replicaset["spec"].get("minReadySeconds", 0))

    def _fill(self, replicaset: Json, active: list[Json]) -> None:
        """Make what is missing, delete what is too much. ApiError: as far as it went."""
        missing = int(replicaset["spec"].get("replicas", 1)) - len(active)
        for _ in range(min(missing, BURST)):
            try:
                pod = self._api.create("pods", replicaset["metadata"]["namespace"], pod_of(replicaset))
            except ApiError as error:
                self._events.event(replicaset, WARNING, "FailedCreate", f"Error creating: {error}")
                raise
            created = f"Created pod: {pod['metadata']['name']}"
            self._events.event(replicaset, NORMAL, "SuccessfulCreate", created)
        for pod in sorted(active, key=deletion_rank)[: min(max(-missing, 0), BURST)]:
            name = pod["metadata"]["name"]
            try:
                self._api.delete("pods", pod["metadata"]["namespace"], name)
            except ApiError as error:
                if error.status_code != 404:
                    self._events.event(replicaset, WARNING, "FailedDelete", f"Error deleting: {error}")
                    raise
            self._events.event(replicaset, NORMAL, "SuccessfulDelete", f"Deleted pod: {name}")

    def _report(self, replicaset: Json, active: list[Json], terminating: int, failure: Json | None) -> None:
        """Write the status if it has changed. `active` is what there was before this round's changes."""
        spec, before = replicaset["spec"], replicaset.get("status") or {}
        minimum = spec.get("minReadySeconds", 0)
        template_labels = (spec["template"]["metadata"].get("labels") or {}).items()
        waits = [podstate.seconds_until_available(pod, minimum) for pod in active]
        counts = {
            "replicas": len(active),
            "fullyLabeledReplicas": sum(
                template_labels <= (pod["metadata"].get("labels") or {}).items() for pod in active
            ),
            "readyReplicas": sum(wait is not None for wait in waits),
            "availableReplicas": sum(wait is not None and wait <= 0 for wait in waits),
        }
        status: Json = {name: count for name, count in counts.items() if count or name == "replicas"}
        status["terminatingReplicas"] = terminating
        status["observedGeneration"] = replicaset["metadata"].get("generation", 1)
        conditions = [c for c in before.get("conditions") or [] if c["type"] != "ReplicaFailure"]
        if failure is not None:
            conditions.append(_same_since(podstate.condition(replicaset, "ReplicaFailure"), failure))
        if conditions:
            status["conditions"] = conditions
        if status != before:
            self._api.update_status(
                REPLICASETS, replicaset["metadata"]["namespace"], {**replicaset, "status": status}
            )


def pod_of(replicaset: Json) -> Json:
    """A pod as the template says, named and owned by the ReplicaSet."""
    template = replicaset["spec"]["template"]
    metadata: Json = {
        "generateName": f"{replicaset['metadata']['name']}-",
        "ownerReferences": [controller_reference("apps/v1", "ReplicaSet", replicaset)],
    }
    for field in ("labels", "annotations", "finalizers"):
        if value := (template.get("metadata") or {}).get(field):
            metadata[field] = value
    return {"metadata": metadata, "spec": template["spec"]}


def deletion_rank(pod: Json) -> tuple[Any, ...]:
    """Pods with the least rank go first: those without a node, not running, not ready, cheap, ready for a
    short time, often restarted, young. (How many of its kind share its node makes no difference where there
    is one node.)"""
    metadata = pod["metadata"]
    since = podstate.ready_since(pod)
    return (
        bool(pod["spec"].get("nodeName")),
        {"Pending": 0, "Unknown": 1}.get(podstate.phase(pod), 2),
        since is not None,
        _cost(metadata),
        -(since or 0.0),
        -podstate.restarts(pod),
        -podstate.moment(metadata["creationTimestamp"]),
        metadata["uid"],
    )


def _cost(metadata: Json) -> int:
    try:
        return int((metadata.get("annotations") or {}).get(COST, "0"))
    except ValueError:
        return 0


def _next_availability(pods: list[Json], minimum: int) -> float | None:
    waits = (podstate.seconds_until_available(pod, minimum) for pod in pods)
    return min((wait for wait in waits if wait is not None and wait > 0), default=None)


def _failure(replicaset: Json, active: list[Json], error: ApiError) -> Json:
    missing = int(replicaset["spec"].get("replicas", 1)) > len(active)
    return {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate" if missing else "FailedDelete",
        "message": str(error),
        "lastTransitionTime": timestamp(),
    }


def _same_since(before: Json | None, failure: Json) -> Json:
    """A failure for the same reason stays as it was first reported: a status that changes calls for a new try."""
    if before is not None and (before["reason"], before["status"]) == (failure["reason"], failure["status"]):
        return before
    return failure
