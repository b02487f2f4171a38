"""Events are news: an hour after they last happened they are forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api

LIFETIME = timedelta(hours=1)


def forget_events(api: Api, now: datetime | None = None) -> int:
    """Delete the Events that are older than LIFETIME; how many these were."""
    limit = ((now or datetime.now(UTC)) - LIFETIME).strftime("%Y-%m-%dT%H:%M:%S")
    old = []
    for stored in api.select("events"):
        event = stored.obj
        times = [
            event.get("lastTimestamp"),
            (event.get("series") or {}).get("lastObservedTime"),
            event.get("eventTime"),
            event["metadata"].get("creationTimestamp"),
        ]
        if max(time or "" for time in times) < limit:
            old.append(event["metadata"])
    for metadata in old:
        try:
            api.delete("events", metadata["namespace"], metadata["name"])
        except ApiError:
            continue  # Somebody was quicker.
    return len(old)
