"""Events by their newer name: events.k8s.io speaks of the core's Events in other words.

Both groups show the same stored objects. This is the `Api` as a request for the newer group sees it.
"""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.call import INSIDE, Call
from shipline.cluster.api.eventwords import to_core, to_newer
from shipline.cluster.api.machinery import Api, StoredObjects
from shipline.cluster.api.resources import find
from shipline.cluster.api.watch import Stored, Watch

Json = dict[str, Any]

_CORE, _NEWER = "events", "events.events.k8s.io"


def _stored(stored: Stored) -> Stored:
    return Stored.of(to_newer(stored.obj), stored.version)


class EventsApi(Api):
    """The cluster's `Api`, as far as requests for events.k8s.io use it."""

    def __init__(self, api: Api) -> None:
        self._api = api

    @property
    def resource_version(self) -> str:
        return self._api.resource_version

    def stored(self, resource: str, namespace: str | None, name: str) -> Stored:
        return _stored(self._api.stored(_CORE, namespace, name))

    def look_up(self, resource: str, namespace: str | None, name: str) -> Json | None:
        found = self._api.look_up(_CORE, namespace, name)
        return to_newer(found) if found else None

    def select(
        self,
        resource: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> StoredObjects:
        return [_stored(s) for s in self._api.select(_CORE, namespace, label_selector, field_selector)]

    def watch(
        self,
        resource: str,
        namespace: str | None = None,
        since: str | int | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Watch:
        watch = self._api.watch(_CORE, namespace, since, label_selector, field_selector)
        watch.view = _stored
        return watch

    def check_remembered(self, resource: str, version: int) -> None:
        self._api.check_remembered(_CORE, version)

    def unchanged_since(self, resource: str, version: int) -> bool:
        return self._api.unchanged_since(_CORE, version)

    def create(
        self, resource: str, namespace: str | None, obj: Json, call: Call = INSIDE, applied: bool = False
    ) -> Json:
        return to_newer(self._api.create(_CORE, namespace, to_core(obj), call, applied))

    def update(
        self,
        resource: str,
        namespace: str | None,
        obj: Json,
        call: Call = INSIDE,
        subresource: str | None = None,
        applied: bool = False,
    ) -> Json:
        return to_newer(self._api.update(_CORE, namespace, to_core(obj), call, subresource, applied))

    def patch(
        self,
        resource: str,
        namespace: str | None,
        name: str,
        patch: Any,
        type: str = "strategic",
        subresource: str | None = None,
        call: Call = INSIDE,
    ) -> Json:
        from shipline.cluster.api.patching import patched

        event = patched(find(_NEWER), self.stored(resource, namespace, name).copy(), patch, type)
        return self.update(resource, namespace, event, call)

    def delete(
        self,
        resource: str,
        namespace: str | None,
        name: str,
        grace_period: int | None = None,
        propagation: str | None = None,
        preconditions: Json | None = None,
        call: Call = INSIDE,
    ) -> Json:
        gone = self._api.delete(_CORE, namespace, name, grace_period, propagation, preconditions, call)
        return to_newer(gone)
