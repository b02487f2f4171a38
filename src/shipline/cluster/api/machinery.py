"""The truth of the cluster: its store, changed by one set of rules.

Controllers, the kubelet and HTTP requests meet the same admission, defaulting and validation; they differ in
their `Call`. No method but a watch waits.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from shipline.cluster.api import (
    addresses,
    admission,
    binding,
    defaults,
    names,
    schema,
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
)
from shipline.cluster.api.objects import check_patched, decoded, ordered, said_only
from shipline.cluster.api.resources import Resource, find
from shipline.cluster.api.store import Objects, Store, StoredObjects, key_of
from shipline.cluster.api.watch import Stored, Watch

Json = dict[str, Any]

__all__ = ["Api", "ApiError", "Call", "StoredObjects", "Watch"]


class Api(Store):
    """The store with its rules: all writes go through here."""

    def __init__(self, path: Path | None = None, service_network: str = "10.43.0.0/16") -> None:
        """Open the journal at `path` (None: memory only) and load what it holds. Services get their cluster
        addresses from `service_network`."""
        super().__init__(path)
        self.service_network = IPv4Network(service_network)

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
        if call.dry_run:
            obj["metadata"].pop("resourceVersion")
            return obj
        return self.put(kind, None, obj)

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
        over = deleting.mark(kind, obj, how)
        if call.dry_run or (obj == old.obj and not over):
            return obj
        return self.remove(kind, old, obj) if over else self.put(kind, old, obj)

    def bind(self, namespace: str, name: str, node: str, call: Call = INSIDE) -> None:
        """Give a pod its node: the scheduler's one write."""
        old = self.stored("pods", namespace, name)
        pod = binding.bound(old.copy(), node)
        if not call.dry_run:
            self.put(find("pods"), old, ordered(find("pods"), pod))

    def _record(self, kind: Resource, old: Json, new: Json, call: Call, subresource: str | None = None) -> None:
        from shipline.cluster.api import managedfields

        types = schema.of_kind(kind.api_version, kind.kind)
        managedfields.updated(types, old, new, call.manager, kind.api_version, subresource or "")

    def _admit_rights(self, kind: Resource, obj: Json, call: Call) -> None:
        if kind.group == "rbac.authorization.k8s.io":
            from shipline.cluster.api.escalation import check_granted

            check_granted(self, call.user, kind, obj)

    def _others(self, resource: str, obj: Json) -> Objects:
        key = key_of(obj)
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
        if call.dry_run:
            return obj
        if metadata.get("deletionTimestamp") and deleting.removable(kind, obj):
            return self.remove(kind, old, obj)
        return old.copy() if obj == old.obj else self.put(kind, old, obj)


def _allowed(kind: Resource, verb: str) -> None:
    if verb not in kind.verbs:
        raise method_not_allowed(kind.name, verb)
