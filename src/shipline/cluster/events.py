"""Events: what the cluster's parts tell a person about an object, kept for an hour.

A repetition raises the count of the Event that is there ("x3 over 6s") instead of making another, as
Kubernetes' own recorder does it. Recording never fails: an Event is news, not state.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.api.names import micro_timestamp, timestamp

Json = dict[str, Any]
NORMAL, WARNING = "Normal", "Warning"

KEPT = timedelta(hours=1)
_REMEMBERED = 4096


class EventRecorder:
    """Records in the name of one `component` (kubelet, deployment-controller), on `host` if it has one."""

    def __init__(self, api: Api, component: str, host: str = "") -> None:
        self._api = api
        self._component = component
        self._host = host
        self._known: dict[tuple[str, ...], tuple[str, str]] = {}

    def event(
        self, about: Json, type: str, reason: str, message: str, field_path: str = "", action: str = ""
    ) -> None:
        """Tell of `about` (an object with kind, apiVersion and metadata).

        `type` is NORMAL or WARNING; `field_path` names a part (`spec.containers{web}`); an `action` makes it an
        Event of the newer events.k8s.io form, which counts by `series` and has microseconds.
        """
        metadata = about["metadata"]
        namespace = metadata.get("namespace", "default")
        key = (metadata.get("uid", metadata["name"]), type, reason, message, field_path, action)
        with contextlib.suppress(ApiError):
            known = self._known.get(key)
            if known and self._repeat(*known):
                return
            made = self._api.create(
                "events", namespace, self._new(about, type, reason, message, field_path, action)
            )
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[key] = (namespace, made["metadata"]["name"])

    def _repeat(self, namespace: str, name: str) -> bool:
        try:
            event = self._api.get("events", namespace, name)
        except ApiError:
            return False
        if event.get("eventTime"):
            seen = (event.get("series") or {}).get("count", 1)
            event["series"] = {"count": seen + 1, "lastObservedTime": micro_timestamp()}
        else:
            event["count"] = event.get("count", 1) + 1
            event["lastTimestamp"] = timestamp()
        self._api.update("events", namespace, event)
        return True

    def _new(self, about: Json, type: str, reason: str, message: str, field_path: str, action: str) -> Json:
        metadata = about["metadata"]
        involved = {
            "kind": about["kind"],
            "apiVersion": about["apiVersion"],
            "name": metadata["name"],
            **{field: metadata[field] for field in ("namespace", "uid", "resourceVersion") if metadata.get(field)},
        }
        if field_path:
            involved["fieldPath"] = field_path
        event: Json = {
            "metadata": {
                "name": f"{metadata['name']}.{time.time_ns():x}",
                "namespace": metadata.get("namespace", "default"),
            },
            "involvedObject": involved,
            "reason": reason,
            "type": type,
            "reportingComponent": self._component,
        }
        if message:
            event["message"] = message
        if action:
            return event | {
                "action": action,
                "eventTime": micro_timestamp(),
                "firstTimestamp": None,
                "lastTimestamp": None,
                "reportingInstance": f"{self._component}-{self._host}" if self._host else self._component,
                "source": {},
            }
        source = {"component": self._component} | ({"host": self._host} if self._host else {})
        now = timestamp()
        return event | {
            "count": 1,
            "eventTime": None,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "reportingInstance": self._host,
            "source": source,
        }


async def expire(api: Api, every: float = 60.0) -> None:
    """Remove Events that were last seen more than an hour ago, for ever; `every` in seconds."""
    while True:
        oldest = timestamp(datetime.now(UTC) - KEPT)
        for event in api.list("events"):
            series = event.get("series") or {}
            seen = event.get("lastTimestamp") or series.get("lastObservedTime") or event.get("eventTime")
            if (seen or event["metadata"]["creationTimestamp"]) < oldest:
                with contextlib.suppress(ApiError):
                    api.delete("events", event["metadata"]["namespace"], event["metadata"]["name"])
        await asyncio.sleep(every)
