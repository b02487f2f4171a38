"""The Deployment controller: moves pods from the ReplicaSets of old templates to that of the present one.

One reconciliation makes one step: scale the new ReplicaSet up, or else old ones down. The ReplicaSets'
statuses change in consequence, which calls for the next. `kubectl rollout` works by what is written here:
revisions (undo, history), conditions and counts (status), `spec.paused` (pause, resume), a template
annotation (restart).
"""

from __future__ import annotations

from copy import deepcopy

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.api.selectors import match_labels
from shipline.cluster.controllers import deployment_status as report
from shipline.cluster.controllers import podstate, revisions
from shipline.cluster.controllers import rollout_sizes as sizes
from shipline.cluster.controllers.loop import Json, Loop, key_of
from shipline.cluster.controllers.ownership import claim, controller_of, controller_reference
from shipline.cluster.controllers.workqueue import Key
from shipline.cluster.events import NORMAL, WARNING, EventRecorder

DEPLOYMENTS = "deployments.apps"
REPLICASETS = "replicasets.apps"


class DeploymentController:
    """Rolls Deployments out."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._events = EventRecorder(api, "deployment-controller")

    def loop(self) -> Loop:
        return (
            Loop("deployment-controller", self._api, self.reconcile)
            .follow(DEPLOYMENTS)
            .follow(REPLICASETS, self._concerned)
            .follow("pods", self._recreating)
        )

    def _concerned(self, replicaset: Json) -> list[Key]:
        """The Deployment that controls the ReplicaSet; for an orphan all those that would have it."""
        namespace = replicaset["metadata"]["namespace"]
        owner = controller_of(replicaset)
        if owner is not None:
            return [(namespace, owner["name"])] if owner["kind"] == "Deployment" else []
        labels = replicaset["metadata"].get("labels") or {}
        if not labels:
            return []
        everyone = (stored.obj for stored in self._api.select(DEPLOYMENTS, namespace))
        return [key_of(one) for one in everyone if match_labels(one["spec"]["selector"])(labels)]

    def _recreating(self, pod: Json) -> list[Key]:
        """A pod that ends lets a Deployment of the strategy Recreate go on."""
        owner = controller_of(pod)
        if owner is None or owner["kind"] != "ReplicaSet":
            return []
        namespace = pod["metadata"]["namespace"]
        try:
            keys = self._concerned(self._api.stored(REPLICASETS, namespace, owner["name"]).obj)
            return [key for key in keys if not sizes.is_rolling(self._api.stored(DEPLOYMENTS, *key).obj)]
        except ApiError:
            return []

    def reconcile(self, key: Key) -> float | None:
        """Make the next step of one Deployment's rollout; returns when its progress is overdue."""
        try:
            deployment = self._api.get(DEPLOYMENTS, *key)
        except ApiError as error:
            if error.status_code == 404:
                return None
            raise
        matches = match_labels(deployment["spec"]["selector"])
        if not matches(deployment["spec"]["template"]["metadata"].get("labels") or {}):
            return None  # refused by the API; what it made would never count as its own, and it would make for ever
        replicasets = claim(
            self._api,
            REPLICASETS,
            controller_reference("apps/v1", "Deployment", deployment),
            not deployment["metadata"].get("deletionTimestamp"),
            matches,
            self._api.list(REPLICASETS, key[0]),
        )
        new = revisions.find_new(deployment, replicasets)
        old = [one for one in replicasets if one is not new]
        if deployment["metadata"].get("deletionTimestamp"):
            return self._write(deployment, report.status_of(deployment, replicasets, new))
        deployment = self._note_pause(deployment)
        new = self._renumber(deployment, new, old)
        deployment = self._api.get(DEPLOYMENTS, *key)
        if deployment["spec"].get("paused") or self._is_scaling(deployment, new, old):
            return self._scale_only(deployment, new, old)
        if sizes.is_rolling(deployment):
            return self._roll(deployment, new, old)
        return self._recreate(deployment, new, old)

    # Revisions

    def _renumber(self, deployment: Json, new: Json | None, old: list[Json]) -> Json | None:
        """See that the new ReplicaSet has the highest revision, and the Deployment the same."""
        if new is None:
            return None
        number = max((revisions.revision(one) for one in old), default=0) + 1
        before = deepcopy(new)
        revisions.annotate(deployment, new, number)
        minimum = deployment["spec"].get("minReadySeconds", 0)
        if new["spec"].get("minReadySeconds", 0) != minimum:
            new["spec"]["minReadySeconds"] = minimum
        if new != before:
            new = self._api.update(REPLICASETS, new["metadata"]["namespace"], new)
        message = f'Found new replica set "{new["metadata"]["name"]}"'
        self._note_revision(deployment, new, "FoundNewReplicaSet", message, only_if_unknown=True)
        return new

    def _make_new(self, deployment: Json, old: list[Json]) -> Json:
        """Make the ReplicaSet of the present template, with the pods that there is room for."""
        number = max((revisions.revision(one) for one in old), default=0) + 1
        new = revisions.new_replicaset(deployment, number)
        size = sizes.new_size(deployment, old, 0)
        new["spec"]["replicas"] = size
        namespace, name = new["metadata"]["namespace"], new["metadata"]["name"]
        try:
            new = self._api.create(REPLICASETS, namespace, new)
        except ApiError as error:
            if error.reason == "AlreadyExists":
                self._count_collision(deployment)
            else:
                message = f'Failed to create new replica set "{name}": {error}'
                self._events.event(deployment, WARNING, "ReplicaSetCreateError", message)
                if report.deadline(deployment) is not None:
                    self._progress(deployment, "False", "ReplicaSetCreateError", message)
            raise
        if size:
            self._scaled(deployment, "up", name, 0, size)
        self._note_revision(deployment, new, "NewReplicaSetCreated", f'Created new replica set "{name}"')
        return new

    def _count_collision(self, deployment: Json) -> None:
        """Another ReplicaSet has the name: the next try gets another hash."""
        status = dict(deployment.get("status") or {})
        status["collisionCount"] = status.get("collisionCount", 0) + 1
        self._api.update_status(DEPLOYMENTS, deployment["metadata"]["namespace"], {**deployment, "status": status})

    def _note_revision(
        self, deployment: Json, new: Json, reason: str, message: str, only_if_unknown: bool = False
    ) -> None:
        """Write the revision into the Deployment, and that its ReplicaSet is there."""
        changed = {
            **deployment,
            "metadata": dict(deployment["metadata"]),
            "status": dict(deployment.get("status") or {}),
        }
        annotations = dict(changed["metadata"].get("annotations") or {})
        annotations[revisions.REVISION] = str(revisions.revision(new))
        changed["metadata"]["annotations"] = annotations
        known = podstate.condition(deployment, "Progressing") is not None
        if report.deadline(deployment) is not None and not (known and only_if_unknown):
            report.set_condition(changed["status"], "Progressing", "True", reason, message)
        if changed != deployment:
            updated = self._api.update_status(DEPLOYMENTS, changed["metadata"]["namespace"], changed)
            deployment["status"] = updated["status"]
            deployment["metadata"] = updated["metadata"]

    # Scaling without rolling

    def _is_scaling(self, deployment: Json, new: Json | None, old: list[Json]) -> bool:
        """Whether the number of pods asked for has changed since the ReplicaSets were last sized."""
        active = [one for one in [*old, *_some(new)] if sizes.replicas(one) > 0]
        annotated = (sizes.annotated(one, sizes.DESIRED) for one in active)
        return any(number is not None and number != sizes.replicas(deployment) for number in annotated)

    def _scale_only(self, deployment: Json, new: Json | None, old: list[Json]) -> float | None:
        everyone = [*old, *_some(new)]
        active = [one for one in everyone if sizes.replicas(one) > 0]
        if len(active) <= 1:
            latest = active or _some(new) or sorted(old, key=lambda one: one["metadata"]["creationTimestamp"])[-1:]
            for one in latest:
                self._resize(deployment, one, sizes.replicas(deployment))
        elif new is not None and sizes.is_saturated(deployment, new):
            for one in active:
                if one is not new:
                    self._resize(deployment, one, 0)
        elif sizes.is_rolling(deployment):
            planned = sizes.proportional_sizes(deployment, active)
            for one in active:
                self._resize(deployment, one, planned[one["metadata"]["name"]])
        if deployment["spec"].get("paused"):
            self._forget(deployment, old)
        return self._write(deployment, report.status_of(deployment, everyone, new))

    def _note_pause(self, deployment: Json) -> Json:
        """While a Deployment is paused its progress isn't counted."""
        present = podstate.condition(deployment, "Progressing")
        if report.deadline(deployment) is None or (present and present["reason"] == report.TIMED_OUT):
            return deployment
        known = present is not None and present["reason"] == "DeploymentPaused"
        if deployment["spec"].get("paused"):
            if not known:
                self._progress(deployment, "Unknown", "DeploymentPaused", "Deployment is paused")
        elif known:
            self._progress(deployment, "Unknown", "DeploymentResumed", "Deployment is resumed")
        return self._api.get(DEPLOYMENTS, *key_of(deployment))

    def _progress(self, deployment: Json, value: str, reason: str, message: str) -> None:
        status = dict(deployment.get("status") or {})
        report.set_condition(status, "Progressing", value, reason, message)
        self._api.update_status(DEPLOYMENTS, deployment["metadata"]["namespace"], {**deployment, "status": status})

    # The two strategies

    def _roll(self, deployment: Json, new: Json | None, old: list[Json]) -> float | None:
        """One step of a rolling update."""
        if new is None:
            new = self._make_new(deployment, old)
            return self._finish(deployment, new, old)
        size = sizes.new_size(deployment, [*old, new], sizes.replicas(new))
        if size != sizes.replicas(new):
            self._resize(deployment, new, size)
            return self._finish(deployment, new, old)
        planned = sizes.old_sizes(deployment, new, old)
        for one in old:
            if one["metadata"]["name"] in planned:
                self._resize(deployment, one, planned[one["metadata"]["name"]])
        return self._finish(deployment, new, old)

    def _recreate(self, deployment: Json, new: Json | None, old: list[Json]) -> float | None:
        """One step of a replacement: all old pods end before the first new one starts."""
        active = [one for one in old if sizes.replicas(one) > 0]
        for one in active:
            self._resize(deployment, one, 0)
        if active or self._old_pods_run(deployment, old):
            return self._finish(deployment, new, old)
        if new is None:
            new = self._make_new(deployment, old)
        else:
            self._resize(deployment, new, sizes.replicas(deployment))
        return self._finish(deployment, new, old)

    def _old_pods_run(self, deployment: Json, old: list[Json]) -> bool:
        if any(sizes.counted(one, "replicas") for one in old):
            return True
        uids = {one["metadata"]["uid"] for one in old}
        for stored in self._api.select("pods", deployment["metadata"]["namespace"]):
            owner = controller_of(stored.obj)
            if owner is not None and owner["uid"] in uids and not podstate.is_finished(stored.obj):
                return True
        return False

    # Writing

    def _finish(self, deployment: Json, new: Json | None, old: list[Json]) -> float | None:
        """Report the rollout's state, and forget old revisions once it is complete."""
        everyone = [*old, *_some(new)]
        status = report.status_of(deployment, everyone, new)
        report.follow_progress(deployment, status, everyone, new)
        if report.is_complete(deployment, status):
            self._forget(deployment, old)
        return self._write(deployment, status)

    def _write(self, deployment: Json, status: Json) -> float | None:
        if status != (deployment.get("status") or {}):
            changed = {**deployment, "status": status}
            self._api.update_status(DEPLOYMENTS, deployment["metadata"]["namespace"], changed)
        left = report.seconds_left(deployment, status)
        return None if left is None else max(left, 0.0) + 1.0

    def _resize(self, deployment: Json, replicaset: Json, size: int) -> None:
        """Have a ReplicaSet ask for `size` pods; `replicaset` is brought up to date."""
        before = sizes.replicas(replicaset)
        renoted = revisions.annotate_sizes(deployment, replicaset)
        if before == size and not renoted:
            return
        replicaset["spec"]["replicas"] = size
        replicaset.update(self._api.update(REPLICASETS, replicaset["metadata"]["namespace"], replicaset))
        if before != size:
            direction = "up" if size > before else "down"
            self._scaled(deployment, direction, replicaset["metadata"]["name"], before, size)

    def _scaled(self, deployment: Json, direction: str, name: str, before: int, after: int) -> None:
        message = f"Scaled {direction} replica set {name} from {before} to {after}"
        self._events.event(deployment, NORMAL, "ScalingReplicaSet", message)

    def _forget(self, deployment: Json, old: list[Json]) -> None:
        """Delete the oldest of the empty ReplicaSets beyond the history that is kept."""
        limit = deployment["spec"].get("revisionHistoryLimit")
        if limit is None:
            return
        kept = [one for one in old if not one["metadata"].get("deletionTimestamp")]
        kept.sort(key=revisions.revision)
        for one in kept[: max(len(kept) - limit, 0)]:
            observed = sizes.counted(one, "observedGeneration") >= one["metadata"].get("generation", 1)
            if observed and not sizes.replicas(one) and not sizes.counted(one, "replicas"):
                self._api.delete(REPLICASETS, one["metadata"]["namespace"], one["metadata"]["name"])


def _some(replicaset: Json | None) -> list[Json]:
    return [] if replicaset is None else [replicaset]
