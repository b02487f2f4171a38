"""The garbage collector: nothing outlives its owners, and owners wait for their dependents when asked to.

An object whose owners have all gone is deleted (background). One with the finalizer `foregroundDeletion` goes
after the dependents that block it; one with the finalizer `orphan` after its dependents have forgotten it.
"""

from __future__ import annotations

from shipline.cluster.api.deletion import FOREGROUND, ORPHAN
from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.api.resources import RESOURCES, of_kind
from shipline.cluster.controllers.loop import Json, Loop
from shipline.cluster.controllers.workqueue import Key

COLLECTED = tuple(
    resource.name
    for resource in RESOURCES
    if "watch" in resource.verbs and "delete" in resource.verbs and resource.plural != "events"
)
"""The resources that may own or be owned."""


class GarbageCollector:
    """Deletes what has lost its owners. Its keys are uids: ("", uid)."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._places: dict[str, tuple[str, str | None, str]] = {}
        """uid -> resource, namespace, name of every object there is."""
        self._owners: dict[str, set[str]] = {}
        """uid -> uids of the owners that it refers to, whether they are there or not."""
        self._dependents: dict[str, set[str]] = {}
        """The same the other way round."""

    def loop(self) -> Loop:
        loop = Loop("garbage-collector", self._api, self.reconcile)
        for resource in COLLECTED:
            loop.follow(resource, lambda obj, resource=resource: self._note(resource, obj))  # type: ignore[misc]
        return loop

    def _note(self, resource: str, obj: Json) -> list[Key]:
        """Remember where the object is and whom it refers to now; returns what its change concerns."""
        metadata = obj["metadata"]
        uid = metadata["uid"]
        present = self._lookup(resource, metadata.get("namespace"), metadata["name"], uid)
        before = self._owners.pop(uid, set())
        after = set()
        concerned = set()
        if present is None:
            self._places.pop(uid, None)
            concerned.add(uid)
        else:
            metadata = present["metadata"]
            self._places[uid] = (resource, metadata.get("namespace"), metadata["name"])
            after = {reference["uid"] for reference in metadata.get("ownerReferences") or []}
            if after or metadata.get("deletionTimestamp"):
                concerned.add(uid)
        if after:
            self._owners[uid] = after
        for owner in before - after:
            self._dependents.get(owner, set()).discard(uid)
            concerned.add(owner)
        for owner in after:
            self._dependents.setdefault(owner, set()).add(uid)
        return [("", one) for one in concerned]

    def _lookup(self, resource: str, namespace: str | None, name: str, uid: str) -> Json | None:
        try:
            obj = self._api.stored(resource, namespace, name).obj
        except ApiError:
            return None
        return obj if obj["metadata"]["uid"] == uid else None

    def reconcile(self, key: Key) -> None:
        """See to one object: its own end, if it waits for that, or that of its owners."""
        uid = key[1]
        place = self._places.get(uid)
        obj = self._lookup(*place, uid) if place else None
        if place is None or obj is None:
            for dependent in list(self._dependents.get(uid, ())):
                self._collect(dependent)
            if not self._dependents.get(uid):
                self._dependents.pop(uid, None)
            return
        finalizers = obj["metadata"].get("finalizers") or []
        if obj["metadata"].get("deletionTimestamp"):
            if ORPHAN in finalizers:
                self._orphan(place[0], obj)
            elif FOREGROUND in finalizers:
                self._wait_for_dependents(place[0], obj)
            return
        self._collect(uid)

    def _collect(self, uid: str) -> None:
        """Delete an object if it has owners and none of them is left; drop references to those that have gone."""
        place = self._places.get(uid)
        obj = self._lookup(*place, uid) if place else None
        if place is None or obj is None or obj["metadata"].get("deletionTimestamp"):
            return
        references: list[Json] = obj["metadata"].get("ownerReferences") or []
        if not references:
            return
        owners = [(reference, self._owner(obj, reference)) for reference in references]
        alive = [reference for reference, owner in owners if owner is not None and not _awaits_dependents(owner)]
        awaited = any(owner is not None and _awaits_dependents(owner) for _, owner in owners)
        resource, namespace, name = place
        if alive:
            if len(alive) < len(references):
                metadata = {**obj["metadata"], "ownerReferences": alive}
                self._api.update(resource, namespace, {**obj, "metadata": metadata})
            return
        how = "Foreground" if awaited and self._dependents.get(uid) else "Background"
        if ORPHAN in (obj["metadata"].get("finalizers") or []):
            how = "Orphan"
        self._api.delete(resource, namespace, name, propagation=how, preconditions={"uid": uid})

    def _owner(self, obj: Json, reference: Json) -> Json | None:
        """The owner that a reference means; None when it isn't there (any more)."""
        resource = of_kind(reference["apiVersion"], reference["kind"])
        if resource is None:
            return {"metadata": {}}  # of a kind we don't know: it may well exist
        namespace = obj["metadata"].get("namespace") if resource.namespaced else None
        return self._lookup(resource.name, namespace, reference["name"], reference["uid"])

    def _wait_for_dependents(self, resource: str, obj: Json) -> None:
        """Delete what the object owns; let it go when nothing that blocks it is left."""
        uid = obj["metadata"]["uid"]
        for dependent, _, _ in self._children(uid):
            self._collect(dependent)
        for _, _, child in self._children(uid):
            references = child["metadata"].get("ownerReferences") or []
            if any(one["uid"] == uid and one.get("blockOwnerDeletion") for one in references):
                return
        self._finalize(resource, obj, FOREGROUND)

    def _children(self, uid: str) -> list[tuple[str, tuple[str, str | None, str], Json]]:
        """The uid, place and present state of all that refers to an object."""
        children = []
        for dependent in self._dependents.get(uid, ()):
            place = self._places.get(dependent)
            child = self._lookup(*place, dependent) if place else None
            if place is not None and child is not None:
                children.append((dependent, place, child))
        return children

    def _orphan(self, resource: str, obj: Json) -> None:
        """Make the object's dependents forget it, and let it go."""
        uid = obj["metadata"]["uid"]
        for _, place, child in self._children(uid):
            references = child["metadata"].get("ownerReferences") or []
            metadata = {**child["metadata"], "ownerReferences": [one for one in references if one["uid"] != uid]}
            if not metadata["ownerReferences"]:
                del metadata["ownerReferences"]
            self._api.update(place[0], place[1], {**child, "metadata": metadata})
        self._dependents.pop(uid, None)
        self._finalize(resource, obj, ORPHAN)

    def _finalize(self, resource: str, obj: Json, finalizer: str) -> None:
        metadata = dict(obj["metadata"])
        metadata["finalizers"] = [one for one in metadata["finalizers"] if one != finalizer]
        self._api.update(resource, metadata.get("namespace"), {**obj, "metadata": metadata})


def _awaits_dependents(owner: Json) -> bool:
    metadata = owner["metadata"]
    return bool(metadata.get("deletionTimestamp")) and FOREGROUND in (metadata.get("finalizers") or [])
