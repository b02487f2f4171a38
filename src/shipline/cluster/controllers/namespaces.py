"""Namespaces: the four that are always there, and the emptying of those that are deleted.

A namespace that is told to go stays, `Terminating`, until nothing is left in it; then its finalizer goes, and
with it the namespace.
"""

from __future__ import annotations

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.api.names import timestamp
from shipline.cluster.api.resources import RESOURCES
from shipline.cluster.controllers.loop import Json, Loop
from shipline.cluster.controllers.workqueue import Key

SYSTEM = ("default", "kube-system", "kube-public", "kube-node-lease")
FINALIZER = "kubernetes"
NAMESPACED = tuple(
    resource.name
    for resource in RESOURCES
    if resource.namespaced and "deletecollection" in resource.verbs and resource.group != "events.k8s.io"
)
"""The resources that a namespace may hold; Events count once, though two groups show them."""

LOOK_AGAIN = 5.0
"""Seconds between two looks at a namespace whose objects take their time to go."""


class NamespaceController:
    """Makes the system's namespaces and empties those that are to go."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def loop(self) -> Loop:
        loop = Loop("namespace-controller", self._api, self.reconcile).follow(
            "namespaces", lambda namespace: [("", namespace["metadata"]["name"])]
        )
        for resource in NAMESPACED:
            loop.follow(resource, self._leaving)
        for name in SYSTEM:
            loop.queue.add(("", name))
        return loop

    def _leaving(self, obj: Json) -> list[Key]:
        """The object's namespace, if that is to go."""
        name = obj["metadata"]["namespace"]
        try:
            namespace = self._api.stored("namespaces", None, name).obj
        except ApiError:
            return []
        return [("", name)] if namespace["metadata"].get("deletionTimestamp") else []

    def reconcile(self, key: Key) -> float | None:
        """Make a system namespace that is missing; empty one that is to go."""
        name = key[1]
        try:
            namespace = self._api.get("namespaces", None, name)
        except ApiError:
            if name in SYSTEM:
                self._api.create("namespaces", None, {"metadata": {"name": name}})
            return None
        if not namespace["metadata"].get("deletionTimestamp"):
            return None
        remaining = self._empty(name)
        if not remaining:
            namespace["spec"]["finalizers"] = [
                one for one in namespace["spec"].get("finalizers") or [] if one != FINALIZER
            ]
            self._api.update("namespaces", None, namespace, subresource="finalize")
            return None
        self._report(namespace, remaining)
        return LOOK_AGAIN

    def _empty(self, name: str) -> dict[str, list[Json]]:
        """Delete what the namespace holds; returns what hasn't gone yet, by resource."""
        remaining: dict[str, list[Json]] = {}
        for resource in NAMESPACED:
            for stored in self._api.select(resource, name):
                metadata = stored.obj["metadata"]
                if not metadata.get("deletionTimestamp"):
                    try:
                        self._api.delete(resource, name, metadata["name"], propagation="Background")
                    except ApiError as error:
                        if error.status_code != 404:
                            raise
            left = [stored.obj for stored in self._api.select(resource, name)]
            if left:
                remaining[resource] = left
        return remaining

    def _report(self, namespace: Json, remaining: dict[str, list[Json]]) -> None:
        """Say in the conditions what still holds the namespace."""
        counts = ", ".join(
            f"{resource if '.' in resource else resource + '.'} has {len(objects)} resource instances"
            for resource, objects in sorted(remaining.items())
        )
        finalizers: dict[str, int] = {}
        for objects in remaining.values():
            for obj in objects:
                for finalizer in obj["metadata"].get("finalizers") or []:
                    finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
        held = ", ".join(
            f"{finalizer} in {count} resource instances" for finalizer, count in sorted(finalizers.items())
        )
        conditions = [
            ("NamespaceContentRemaining", "SomeResourcesRemain", f"Some resources are remaining: {counts}"),
        ]
        if held:
            message = f"Some content in the namespace has finalizers remaining: {held}"
            conditions.append(("NamespaceFinalizersRemaining", "SomeFinalizersRemain", message))
        before = {one["type"]: one for one in (namespace.get("status") or {}).get("conditions") or []}
        after = []
        for kind, reason, message in conditions:
            since = before.get(kind, {}).get("lastTransitionTime", timestamp())
            after.append(
                {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": since}
            )
        status = {**(namespace.get("status") or {}), "phase": "Terminating", "conditions": after}
        if status != namespace.get("status"):
            self._api.update_status("namespaces", None, {**namespace, "status": status})
