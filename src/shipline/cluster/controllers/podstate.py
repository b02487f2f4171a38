"""What controllers ask of a pod: is it alive, ready, available, and since when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def moment(text: str) -> float:
    """Seconds since 1970 of a time as the wire writes it."""
    return datetime.fromisoformat(text).timestamp()


def now() -> float:
    """Seconds since 1970."""
    return datetime.now(UTC).timestamp()


def phase(pod: Json) -> str:
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_finished(pod: Json) -> bool:
    """All its containers have ended for good."""
    return phase(pod) in ("Succeeded", "Failed")


def is_terminating(pod: Json) -> bool:
    """It has been told to go, and has not ended yet."""
    return bool(pod["metadata"].get("deletionTimestamp")) and not is_finished(pod)


def is_active(pod: Json) -> bool:
    """It counts as one of its controller's pods."""
    return not is_finished(pod) and not pod["metadata"].get("deletionTimestamp")


def condition(obj: Json, kind: str) -> Json | None:
    """The condition of that type in the object's status."""
    conditions: list[Json] = (obj.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item["type"] == kind), None)


def is_ready(pod: Json) -> bool:
    ready = condition(pod, "Ready")
    return ready is not None and ready["status"] == "True"


def ready_since(pod: Json) -> float | None:
    """When it became ready (seconds since 1970); None if it is not."""
    ready = condition(pod, "Ready")
    if ready is None or ready["status"] != "True":
        return None
    return moment(ready["lastTransitionTime"]) if ready.get("lastTransitionTime") else 0.0


def seconds_until_available(pod: Json, min_ready_seconds: int) -> float | None:
    """How long until a ready pod has been so for `min_ready_seconds`: 0 or less if it has; None if it isn't
    ready."""
    since = ready_since(pod)
    if since is None:
        return None
    return since + min_ready_seconds - now() if min_ready_seconds else 0.0


def restarts(pod: Json) -> int:
    """The most restarts that any of its containers has had."""
    statuses: list[Json] = (pod.get("status") or {}).get("containerStatuses") or []
    return max((int(status.get("restartCount", 0)) for status in statuses), default=0)
