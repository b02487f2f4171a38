"""The cluster's objects: in memory, journalled, listed and watched. It knows no rules but the order of changes.

Everything runs on one event loop and no method but a watch waits, so each call is a transaction. Objects handed
out are fresh copies, except where a method says "as stored".
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from shipline.cluster.api import fieldselectors, selectors
from shipline.cluster.api.errors import bad_request, not_found
from shipline.cluster.api.resources import Resource, find
from shipline.cluster.api.storage import Journal
from shipline.cluster.api.watch import Change, Ring, Stored, Watch

Json = dict[str, Any]
Key = tuple[str, str]
Objects = list[Json]
StoredObjects = list[Stored]


class Store:
    """Resources are named `plural[.group]`; `namespace` is None for cluster-scoped ones."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the journal at `path` (None: memory only) and load what it holds."""
        self._journal = Journal(path)
        self._version = self._journal.resource_version()
        self._first_version = self._version
        self._objects: dict[str, dict[Key, Stored]] = {}
        self._rings: dict[str, Ring] = {}
        for resource, namespace, name, raw in self._journal.objects():
            obj = msgspec.json.decode(raw)
            stored = Stored(obj, raw, int(obj["metadata"]["resourceVersion"]))
            self._objects.setdefault(resource, {})[namespace, name] = stored

    @property
    def resource_version(self) -> str:
        """The version of the newest change."""
        return str(self._version)

    def get(self, resource: str, namespace: str | None, name: str) -> Json:
        """The object; ApiError 404."""
        return self.stored(resource, namespace, name).copy()

    def stored(self, resource: str, namespace: str | None, name: str) -> Stored:
        """The object as stored, not to be changed; ApiError 404."""
        found = self._table(resource).get((namespace or "", name))
        if found is None:
            raise not_found(resource, name)
        return found

    def look_up(self, resource: str, namespace: str | None, name: str) -> Json | None:
        """The object as stored, not to be changed; None when there is none."""
        found = self._table(resource).get((namespace or "", name))
        return found.obj if found else None

    def list(
        self,
        resource: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Objects:
        """All objects, of one namespace or (None) of all, in order of namespace and name."""
        return [s.copy() for s in self.select(resource, namespace, label_selector, field_selector)]

    def select(
        self,
        resource: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> StoredObjects:
        """Like `list`, the objects as stored."""
        matches = self._matcher(find(resource), label_selector, field_selector)
        return [
            stored
            for (where, _), stored in sorted(self._table(resource).items())
            if (namespace is None or where == namespace) and matches(stored.obj)
        ]

    def watch(
        self,
        resource: str,
        namespace: str | None = None,
        since: str | int | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Watch:
        """Changes as (type, object) after the resourceVersion `since`; with None the present objects come
        first, as ADDED. `async for kind, obj in api.watch("pods")` from then on misses nothing."""
        matches = self._matcher(find(resource), label_selector, field_selector)
        initial: StoredObjects = []
        version = self._version if since is None else int(since)
        if since is None:
            initial = self.select(resource, namespace, label_selector, field_selector)
        return Watch(self._ring(resource), version, namespace, matches, initial)

    def check_remembered(self, resource: str, version: int) -> None:
        """ApiError 410 when changes after `version` are no longer all known."""
        self._ring(resource).position_after(version)

    def unchanged_since(self, resource: str, version: int) -> bool:
        """Whether no object of the resource has changed after `version`, as far as is remembered."""
        ring = self._ring(resource)
        if version < ring.forgotten_version:
            return False
        return ring.position_after(version) == ring.start + len(ring.changes)

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def put(self, kind: Resource, old: Stored | None, obj: Json) -> Json:
        """Store an object, new or changed; it gets the next resourceVersion. The object, a fresh copy."""
        return self._change(kind, old, obj, gone=False)

    def remove(self, kind: Resource, old: Stored, obj: Json) -> Json:
        """Forget an object, whose last state is `obj`; that state with its resourceVersion, a fresh copy."""
        return self._change(kind, old, obj, gone=True)

    def _change(self, kind: Resource, old: Stored | None, obj: Json, gone: bool) -> Json:
        key = key_of(obj)
        version = self._version + 1
        obj["metadata"]["resourceVersion"] = str(version)
        stored = Stored.of(obj, version)
        ring = self._ring(kind.name)
        self._journal.write(kind.name, *key, None if gone else stored.raw, version)
        self._version = version
        if gone:
            del self._objects[kind.name][key]
        else:
            self._table(kind.name)[key] = stored
        ring.append(Change(version, key[0], old, stored, gone))
        return stored.copy()

    def _table(self, resource: str) -> dict[Key, Stored]:
        return self._objects.setdefault(find(resource).name, {})

    def _ring(self, resource: str) -> Ring:
        if resource not in self._rings:
            self._rings[resource] = Ring(self._first_version)
        return self._rings[resource]

    def _matcher(self, kind: Resource, labels: str | None, fields: str | None) -> selectors.Test:
        try:
            by_label = selectors.labels(labels)
            allowed = fieldselectors.selectable(kind.name)
            refusal = partial(fieldselectors.refusal, kind.name)
            by_field = selectors.fields(fields, allowed, fieldselectors.ZERO, refusal)
        except selectors.SelectorError as error:
            raise bad_request(str(error)) from None
        return lambda obj: by_label(obj) and by_field(obj)


def key_of(obj: Json) -> Key:
    """Where an object lies among those of its resource."""
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
