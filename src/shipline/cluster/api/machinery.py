"""The truth of the cluster: objects in memory, journalled, watched, and changed by one set of rules.

Everything runs on one event loop and no method but a watch waits, so each call is a transaction. Objects
handed out are fresh copies. Controllers, the kubelet and HTTP requests meet the same admission, defaulting and
validation; they differ in their `Call`.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import msgspec

from shipline.cluster.api import (
    addresses,
    admission,
    binding,
    defaults,
    fieldselectors,
    names,
    schema,
    selectors,
    strategy,
    validation,
)
from shipline.cluster.api import deletion as deleting
from shipline.cluster.api.call import INSIDE, Call
from shipline.cluster.api.deletion import Deletion
from shipline.cluster.api.errors import (
    ApiError,
    already_exists,
    bad_request,
    conflict,
    method_not_allowed,
    modified,
    not_found,
)
from shipline.cluster.api.objects import check_patched, decoded, ordered, said_only
from shipline.cluster.api.resources import Resource, find
from shipline.cluster.api.storage import Journal
from shipline.cluster.api.watch import Change, Ring, Stored, Watch

Json = dict[str, Any]
Key = tuple[str, str]
Objects = list[Json]
StoredObjects = list[Stored]

__all__ = ["Api", "ApiError", "Call", "Watch"]


class Api:
    """Resources are named `plural[.group]`; `namespace` is None for cluster-scoped ones."""

    def __init__(self, path: Path | None = None, service_network: str = "10.43.0.0/16") -> None:
        """Open the journal at `path` (None: memory only) and load what it holds. Services get their cluster
        addresses from `service_network`."""
        self.service_network = IPv4Network(service_network)
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

    # Reading

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

    # Writing

    def create(
        self,
        resource: str,
        namespace: str | None,
        obj: Json,
        call: Call = INSIDE,
        applied: bool = False,
    ) -> Json:
        """Make a new object, named by metadata.name or generateName; `applied` when it records its own
        managers."""
        kind = find(resource)
        _allowed(kind, "create")
        obj = decoded(kind, obj, call)
        metadata = self._place(kind, namespace, obj)
        if metadata.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = names.generated(metadata["generateName"])
        defaults.apply(kind.name, obj)
        admission.admit_create(kind, obj, self.look_up)
        self._admit_rights(kind, obj, call)
        strategy.prepare_create(kind, obj)
        if kind.name == "services":
            addresses.allocate(obj, self._others("services", obj), self.service_network)
        validation.create(kind, obj)
        key = (metadata.get("namespace", ""), metadata["name"])
        if key in self._table(resource):
            raise already_exists(resource, metadata["name"])
        metadata["uid"] = names.uid()
        metadata["creationTimestamp"] = names.timestamp()
        metadata["resourceVersion"] = "0"
        obj = ordered(kind, obj)
        if call.manager and not applied:
            self._record(kind, ordered(kind, {}), obj, call)
        return self._store(kind, key, None, obj, call)

    def update(
        self,
        resource: str,
        namespace: str | None,
        obj: Json,
        call: Call = INSIDE,
        subresource: str | None = None,
        applied: bool = False,
    ) -> Json:
        """Replace an object. A resourceVersion in it must be the present one (ApiError 409); none: no check.
        `applied` when it records its own managers."""
        kind = find(resource)
        _allowed(kind, "update")
        forgets_managers = (obj.get("metadata") or {}).get("managedFields") in ([], [{}])
        obj = decoded(kind, obj, call)
        metadata = self._place(kind, namespace, obj)
        name = metadata.get("name", "")
        old = self.stored(resource, metadata.get("namespace"), name)
        version = metadata.get("resourceVersion")
        if version and version != old.obj["metadata"]["resourceVersion"]:
            raise modified(resource, name)
        if metadata.get("uid") and metadata["uid"] != old.obj["metadata"]["uid"]:
            why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: "
            raise conflict(resource, name, why + old.obj["metadata"]["uid"])
        defaults.apply(kind.name, obj)
        strategy.prepare_update(kind, obj, old.obj, subresource)
        self._admit_rights(kind, obj, call)
        if kind.name == "services" and subresource is None:
            addresses.allocate(obj, self._others("services", obj), self.service_network, old.obj)
        validation.update(kind, obj, old.obj, subresource)
        if forgets_managers:
            metadata.pop("managedFields", None)
        elif "managedFields" not in metadata and "managedFields" in old.obj["metadata"]:
            metadata["managedFields"] = old.obj["metadata"]["managedFields"]
        obj = ordered(kind, obj)
        if call.manager and not applied and not forgets_managers:
            self._record(kind, old.obj, obj, call, subresource)
        return self._replace(kind, old, obj, call)

    def update_status(self, resource: str, namespace: str | None, obj: Json, call: Call = INSIDE) -> Json:
        """Replace an object's status (and labels and annotations stay as they are)."""
        return self.update(resource, namespace, obj, call, "status")

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
        """Change an object by a "json", "merge" or "strategic" patch."""
        from shipline.cluster.api.patching import patched, shown

        if type == "apply":
            return self._apply(resource, namespace, name, patch, subresource, call)
        kind = find(resource)
        old = self.stored(resource, namespace, name)
        obj = patched(kind, old.copy(), patch, type)
        check_patched(kind, obj, shown(obj, patch, type), call)
        return self.update(resource, namespace, obj, call, subresource)

    def _apply(
        self, resource: str, namespace: str | None, name: str, config: Any, subresource: str | None, call: Call
    ) -> Json:
        """Server-side apply; makes the object when it isn't there."""
        from shipline.cluster.api.apply import applied

        kind = find(resource)
        if not isinstance(config, dict):
            raise bad_request("error decoding YAML: the applied object must be a map")
        said = (config.get("metadata") or {}).setdefault("name", name)
        if said != name:
            raise bad_request(f"the name of the object ({said}) does not match the name on the URL ({name})")
        trimmed = said_only(decoded(kind, config, call), config)
        if subresource == "status":
            trimmed = {key: value for key, value in trimmed.items() if key != "spec"}
            trimmed["metadata"] = {"name": name}
        elif kind.subresource("status"):
            trimmed.pop("status", None)
        found = self.look_up(resource, namespace, name)
        live = self.get(resource, namespace, name) if found else {"metadata": {}}
        types = schema.of_kind(kind.api_version, kind.kind)
        version = kind.api_version
        merged = applied(types, live, trimmed, call.manager, version, subresource or "", call.force)
        if not found:
            merged["metadata"] = {**trimmed["metadata"], **merged["metadata"]}
            return self.create(resource, namespace, merged, call, applied=True)
        return self.update(resource, namespace, merged, call, subresource, applied=True)

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
        """Delete, or mark as being deleted what has grace or finalizers. Returns the object's last state.

        `grace_period` 0 removes a pod at once (the kubelet's last word); `propagation` is Background,
        Foreground or Orphan; `preconditions` may hold uid and resourceVersion.
        """
        kind = find(resource)
        _allowed(kind, "delete")
        admission.admit_delete(kind, name)
        old = self.stored(resource, namespace, name)
        wanted = preconditions or {}
        how = Deletion(grace_period, propagation, wanted.get("uid"), wanted.get("resourceVersion"))
        deleting.check(kind, old.obj, how)
        obj = old.copy()
        if deleting.mark(kind, obj, how):
            return self._remove(kind, old, obj, call)
        if obj == old.obj:
            return obj
        return self._store(kind, _key(old.obj), old, obj, call)

    def bind(self, namespace: str, name: str, node: str, call: Call = INSIDE) -> None:
        """Give a pod its node: the scheduler's one write."""
        old = self.stored("pods", namespace, name)
        pod = binding.bound(old.copy(), node)
        self._store(find("pods"), (namespace, name), old, ordered(find("pods"), pod), call)

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    # The store

    def _table(self, resource: str) -> dict[Key, Stored]:
        return self._objects.setdefault(find(resource).name, {})

    def _ring(self, resource: str) -> Ring:
        if resource not in self._rings:
            self._rings[resource] = Ring(self._first_version)
        return self._rings[resource]

    def _matcher(self, kind: Resource, labels: str | None, fields: str | None) -> selectors.Test:
        try:
            by_label = selectors.labels(labels)
            by_field = selectors.fields(fields, fieldselectors.selectable(kind.name), fieldselectors.ZERO)
        except selectors.SelectorError as error:
            raise bad_request(str(error)) from None
        return lambda obj: by_label(obj) and by_field(obj)

    def _record(self, kind: Resource, old: Json, new: Json, call: Call, subresource: str | None = None) -> None:
        from shipline.cluster.api import managedfields

        types = schema.of_kind(kind.api_version, kind.kind)
        managedfields.updated(types, old, new, call.manager, kind.api_version, subresource or "")

    def _admit_rights(self, kind: Resource, obj: Json, call: Call) -> None:
        if kind.group == "rbac.authorization.k8s.io":
            from shipline.cluster.api.escalation import check_granted

            check_granted(self, call.user, kind, obj)

    def _others(self, resource: str, obj: Json) -> Objects:
        key = _key(obj)
        return [stored.obj for other, stored in self._table(resource).items() if other != key]

    def _place(self, kind: Resource, namespace: str | None, obj: Json) -> Json:
        """Set apiVersion, kind and namespace; refuse an object that says another namespace. Its metadata."""
        obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
        metadata: Json = obj.setdefault("metadata", {})
        if not kind.namespaced:
            metadata.pop("namespace", None)
            return metadata
        said = metadata.get("namespace")
        if said and namespace and said != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        metadata["namespace"] = namespace or said or "default"
        return metadata

    def _replace(self, kind: Resource, old: Stored, obj: Json, call: Call) -> Json:
        """Store a changed object; remove it when that was all that held it; nothing when nothing changed."""
        metadata = obj["metadata"]
        metadata["resourceVersion"] = old.obj["metadata"]["resourceVersion"]
        if metadata.get("deletionTimestamp") and deleting.removable(kind, obj):
            return self._remove(kind, old, obj, call)
        if obj == old.obj:
            return old.copy()
        return self._store(kind, _key(old.obj), old, obj, call)

    def _store(self, kind: Resource, key: Key, old: Stored | None, obj: Json, call: Call) -> Json:
        if call.dry_run:
            if old is None:
                obj["metadata"].pop("resourceVersion", None)
            return obj
        version = self._version + 1
        obj["metadata"]["resourceVersion"] = str(version)
        stored = Stored.of(obj, version)
        ring = self._ring(kind.name)
        self._journal.write(kind.name, *key, stored.raw, version)
        self._version = version
        self._objects[kind.name][key] = stored
        ring.append(Change(version, key[0], old, stored))
        return stored.copy()

    def _remove(self, kind: Resource, old: Stored, obj: Json, call: Call) -> Json:
        if call.dry_run:
            return obj
        key = _key(old.obj)
        version = self._version + 1
        obj["metadata"]["resourceVersion"] = str(version)
        stored = Stored.of(obj, version)
        ring = self._ring(kind.name)
        self._journal.write(kind.name, *key, None, version)
        self._version = version
        del self._objects[kind.name][key]
        ring.append(Change(version, key[0], old, stored, gone=True))
        return stored.copy()


def _key(obj: Json) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _allowed(kind: Resource, verb: str) -> None:
    if verb not in kind.verbs:
        raise method_not_allowed(kind.name, verb)
