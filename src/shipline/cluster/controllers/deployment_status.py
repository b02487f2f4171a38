"""What a Deployment reports: the sums over its ReplicaSets and the conditions Available, Progressing and
ReplicaFailure."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.names import timestamp
from shipline.cluster.controllers import podstate
from shipline.cluster.controllers.rollout_sizes import counted, fewest_available, replicas

Json = dict[str, Any]

COMPLETE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
NO_DEADLINE = 2**31 - 1


def status_of(deployment: Json, everyone: list[Json], new: Json | None) -> Json:
    """The status that follows from the ReplicaSets; of the conditions, Available alone is brought up to date."""
    before = deployment.get("status") or {}
    available = sum(counted(one, "availableReplicas") for one in everyone)
    there = sum(counted(one, "replicas") for one in everyone)
    counts = {
        "replicas": there,
        "updatedReplicas": counted(new, "replicas") if new else 0,
        "readyReplicas": sum(counted(one, "readyReplicas") for one in everyone),
        "availableReplicas": available,
        "unavailableReplicas": max(there - available, 0),
    }
    status: Json = {name: count for name, count in counts.items() if count}
    status["observedGeneration"] = deployment["metadata"].get("generation", 1)
    status["terminatingReplicas"] = sum(counted(one, "terminatingReplicas") for one in everyone)
    if before.get("collisionCount"):
        status["collisionCount"] = before["collisionCount"]
    status["conditions"] = [dict(condition) for condition in before.get("conditions") or []]
    if available >= fewest_available(deployment):
        message = "Deployment has minimum availability."
        set_condition(status, "Available", "True", "MinimumReplicasAvailable", message)
    else:
        message = "Deployment does not have minimum availability."
        set_condition(status, "Available", "False", "MinimumReplicasUnavailable", message)
    return status


def set_condition(status: Json, kind: str, value: str, reason: str, message: str) -> None:
    """Set a condition as the last of the list; nothing changes when it has that value for that reason already."""
    conditions: list[Json] = status.setdefault("conditions", [])
    present = next((one for one in conditions if one["type"] == kind), None)
    if present is not None and (present["status"], present["reason"]) == (value, reason):
        return
    now = timestamp()
    since = present["lastTransitionTime"] if present is not None and present["status"] == value else now
    remove_condition(status, kind)
    status["conditions"].append(
        {
            "type": kind,
            "status": value,
            "lastUpdateTime": now,
            "lastTransitionTime": since,
            "reason": reason,
            "message": message,
        }
    )


def remove_condition(status: Json, kind: str) -> None:
    status["conditions"] = [one for one in status.get("conditions") or [] if one["type"] != kind]


def deadline(deployment: Json) -> int | None:
    """The seconds that a rollout may stand still; None when it may for ever."""
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return None if seconds is None or seconds == NO_DEADLINE else int(seconds)


def is_complete(deployment: Json, status: Json) -> bool:
    """Whether all pods that are wanted, and no others, are there, up to date and available."""
    wanted = replicas(deployment)
    numbers = ("updatedReplicas", "replicas", "availableReplicas")
    return all(status.get(name, 0) == wanted for name in numbers) and status["observedGeneration"] >= deployment[
        "metadata"
    ].get("generation", 1)


def has_progressed(before: Json, status: Json) -> bool:
    """Whether more is up to date, ready or available, or less of the old is left, than at the last look."""

    def old(state: Json) -> int:
        return int(state.get("replicas", 0)) - int(state.get("updatedReplicas", 0))

    more = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return any(status.get(name, 0) > before.get(name, 0) for name in more) or old(status) < old(before)


def follow_progress(deployment: Json, status: Json, everyone: list[Json], new: Json | None) -> None:
    """Bring the conditions Progressing and ReplicaFailure of a rollout's `status` up to date."""
    present = podstate.condition(deployment, "Progressing")
    subject = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    settled = (
        present is not None
        and present["reason"] == COMPLETE
        and status.get("replicas", 0) == status.get("updatedReplicas", 0)
    )
    if deadline(deployment) is None:
        remove_condition(status, "Progressing")
    elif not settled:
        if is_complete(deployment, status):
            message = f"{subject} has successfully progressed."
            set_condition(status, "Progressing", "True", COMPLETE, message)
        elif has_progressed(deployment.get("status") or {}, status):
            _renew(status, "ReplicaSetUpdated", f"{subject} is progressing.")
        elif _is_overdue(deployment, status):
            message = f"{subject} has timed out progressing."
            set_condition(status, "Progressing", "False", TIMED_OUT, message)
    _follow_failures(status, everyone, new)


def _renew(status: Json, reason: str, message: str) -> None:
    """Set Progressing with a new update time even if the reason is the same: the deadline counts from there."""
    present = podstate.condition({"status": status}, "Progressing")
    remove_condition(status, "Progressing")
    set_condition(status, "Progressing", "True", reason, message)
    if present is not None and present["status"] == "True":
        status["conditions"][-1]["lastTransitionTime"] = present["lastTransitionTime"]


def _is_overdue(deployment: Json, status: Json) -> bool:
    condition = podstate.condition({"status": status}, "Progressing")
    if condition is None or condition["reason"] == COMPLETE:
        return False
    left = seconds_left(deployment, status)
    return condition["reason"] == TIMED_OUT or (left is not None and left <= 0)


def seconds_left(deployment: Json, status: Json) -> float | None:
    """How long the rollout may go on standing still; None when that isn't counted (any more)."""
    limit = deadline(deployment)
    condition = podstate.condition({"status": status}, "Progressing")
    if limit is None or condition is None or is_complete(deployment, status) or condition["reason"] == TIMED_OUT:
        return None
    return podstate.moment(condition["lastUpdateTime"]) + limit - podstate.now()


def _follow_failures(status: Json, everyone: list[Json], new: Json | None) -> None:
    """Pass on that pods could not be made, of the new ReplicaSet first."""
    ordered = ([new] if new else []) + everyone
    failures = (podstate.condition(one, "ReplicaFailure") for one in ordered)
    failure = next((one for one in failures if one is not None), None)
    if failure is None:
        remove_condition(status, "ReplicaFailure")
    else:
        set_condition(status, "ReplicaFailure", failure["status"], failure["reason"], failure["message"])
