"""What is served, told to clients: in one document a root (aggregated), or the older one a group version."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

import msgspec

from shipline.cluster.api.resources import RESOURCES, Resource, Subresource

Json = dict[str, Any]

GROUPS = (
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "rbac.authorization.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
)


def _served(group: str) -> list[Resource]:
    return sorted((r for r in RESOURCES if r.group == group), key=lambda resource: resource.plural)


@cache
def aggregated(core: bool) -> tuple[bytes, str]:
    """The aggregated document of /api (`core`) or /apis as JSON, and its ETag."""
    items = []
    for group in ("",) if core else GROUPS:
        version = {"version": "v1", "resources": [_aggregated(r) for r in _served(group)], "freshness": "Current"}
        items.append({"metadata": {"name": group} if group else {}, "versions": [version]})
    head = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}}
    raw = msgspec.json.encode({**head, "items": items})
    return raw, f'"{hashlib.sha512(raw).hexdigest().upper()}"'


def _aggregated(resource: Resource) -> Json:
    described: Json = {
        "resource": resource.plural,
        "responseKind": {"group": "", "version": "", "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        described["shortNames"] = list(resource.short_names)
    if resource.categories:
        described["categories"] = list(resource.categories)
    if resource.subresources:
        described["subresources"] = [_aggregated_sub(resource, sub) for sub in resource.subresources]
    return described


def _aggregated_sub(resource: Resource, sub: Subresource) -> Json:
    kind = {"group": sub.group, "version": sub.version, "kind": sub.kind or resource.kind}
    return {"subresource": sub.name, "responseKind": kind, "verbs": list(sub.verbs)}


def versions(address: str) -> Json:
    """/api without aggregation. `address` is the server's host:port."""
    by_client = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": by_client}


def _group(name: str) -> Json:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def groups() -> Json:
    """/apis without aggregation."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in GROUPS]}


def group(name: str) -> Json | None:
    """/apis/<group>."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)} if name in GROUPS else None


def resources(name: str, version: str) -> Json | None:
    """/api/v1 and /apis/<group>/v1: the resources of one group version."""
    if version != "v1" or (name and name not in GROUPS):
        return None
    listed: list[Json] = []
    for resource in _served(name):
        listed.append(_listed(resource))
        listed.extend(_listed_sub(resource, sub) for sub in resource.subresources)
    head: Json = {"kind": "APIResourceList"}
    if name:
        head["apiVersion"] = "v1"
    return {**head, "groupVersion": f"{name}/v1" if name else "v1", "resources": listed}


def _listed(resource: Resource) -> Json:
    described: Json = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        described["shortNames"] = list(resource.short_names)
    if resource.categories:
        described["categories"] = list(resource.categories)
    if "list" in resource.verbs:
        # Events of both groups are stored as the core's.
        group = "" if resource.plural == "events" else resource.group
        stored = f"{group}/{resource.version}/{resource.kind}".encode()
        described["storageVersionHash"] = base64.b64encode(hashlib.sha256(stored).digest()[:8]).decode()
    return described


def _listed_sub(resource: Resource, sub: Subresource) -> Json:
    described: Json = {
        "name": f"{resource.plural}/{sub.name}",
        "singularName": "",
        "namespaced": resource.namespaced,
    }
    if sub.group:
        described |= {"group": sub.group, "version": sub.version}
    return {**described, "kind": sub.kind or resource.kind, "verbs": list(sub.verbs)}
