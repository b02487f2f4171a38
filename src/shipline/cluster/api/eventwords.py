"""The two wordings of an Event: the core's and events.k8s.io's. Both name the same stored object."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.objects import ordered
from shipline.cluster.api.resources import find

Json = dict[str, Any]

_NEWER = "events.events.k8s.io"
_WORDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_BACK = {newer: core for core, newer in _WORDS.items()}


def to_newer(event: Json) -> Json:
    """A core Event in the newer group's words."""
    kind = find(_NEWER)
    renamed = {_WORDS.get(key, key): value for key, value in event.items()}
    return ordered(kind, {**renamed, "apiVersion": kind.api_version, "kind": kind.kind})


def to_core(event: Json) -> Json:
    """A newer Event in the core's words."""
    renamed = {_BACK.get(key, key): value for key, value in event.items()}
    return {**renamed, "apiVersion": "v1", "kind": "Event"}
