"""The schemas, for kubectl explain, validation and server-side apply's field checks.

One OpenAPI v3 document a group version; v2 is told only as much as clients still ask of it.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import msgspec

from shipline.cluster.api import discovery, schema
from shipline.cluster.api.resources import RESOURCES, Resource, Subresource

Json = dict[str, Any]

_PREFIX = "#/components/schemas/"
_INFO = {"title": "Kubernetes", "version": "v1.36.2"}
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_ACTIONS = {
    "create": ("post", "post"),
    "update": ("put", "put"),
    "patch": ("patch", "patch"),
    "delete": ("delete", "delete"),
    "get": ("get", "get"),
}


def _group_versions() -> dict[str, str]:
    """The documents' names and their groups."""
    return {"api/v1": "", **{f"apis/{group}/v1": group for group in discovery.GROUPS}}


def index() -> Json:
    """/openapi/v3: where each document is; its address changes with its content."""
    paths = {}
    for name in _group_versions():
        raw = document(name)
        assert raw is not None
        digest = hashlib.sha512(raw).hexdigest().upper()
        paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
    return {"paths": paths}


@cache
def document(name: str) -> bytes | None:
    """The document of `api/v1` or `apis/<group>/v1`; None when there is none."""
    group = _group_versions().get(name)
    if group is None:
        return None
    paths: Json = {}
    for resource in RESOURCES:
        if resource.group == group:
            paths.update(_paths(f"/{name}", resource))
    components = {"schemas": _referred(paths)}
    return msgspec.json.encode({"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": components})


def _paths(root: str, resource: Resource) -> Json:
    base = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    component = schema.component(resource.api_version, resource.kind) or ""
    listed = schema.component(resource.api_version, f"{resource.kind}List") or component
    found: Json = {}
    collection: Json = {}
    if "list" in resource.verbs:
        collection["get"] = _operation(resource, "list", listed)
    if "create" in resource.verbs:
        collection["post"] = _operation(resource, "post", component)
    if "deletecollection" in resource.verbs:
        collection["delete"] = _operation(resource, "deletecollection", _META + "Status")
    found[f"{base}/{resource.plural}"] = collection
    single = {
        method: _operation(resource, action, component)
        for verb, (method, action) in _ACTIONS.items()
        if verb in resource.verbs and verb != "create"
    }
    if single:
        found[f"{base}/{resource.plural}/{{name}}"] = single
    for sub in resource.subresources:
        found[f"{base}/{resource.plural}/{{name}}/{sub.name}"] = _subresource(resource, sub, component)
    return found


def _subresource(resource: Resource, sub: Subresource, component: str) -> Json:
    if sub.kind:
        version = f"{sub.group}/{sub.version}" if sub.group else resource.version
        component = schema.component(version, sub.kind) or _META + "Status"
    operations: Json = {}
    for verb in sub.verbs:
        method, action = _ACTIONS[verb]
        if sub.name in ("exec", "attach", "portforward", "proxy"):
            action = "connect"
        operations[method] = _operation(resource, action, component, sub)
    return operations


def _operation(resource: Resource, action: str, component: str, sub: Subresource | None = None) -> Json:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    if sub is not None and sub.kind:
        kind = {"group": sub.group, "version": sub.version or resource.version, "kind": sub.kind}
    content = {"application/json": {"schema": {"$ref": _PREFIX + component}}}
    operation: Json = {
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": kind,
    }
    if action in ("post", "put"):
        operation["requestBody"] = {"content": {"*/*": content["application/json"]}, "required": True}
    if action in ("post", "put", "patch"):
        # kubectl validates at the server only where these parameters are declared.
        operation["parameters"] = [_parameter(name) for name in ("dryRun", "fieldManager", "fieldValidation")]
    if action == "patch":
        body = {"schema": {"$ref": f"{_PREFIX}{_META}Patch"}}
        types = ("apply-patch+yaml", "json-patch+json", "merge-patch+json", "strategic-merge-patch+json")
        operation["requestBody"] = {"content": {f"application/{type}": body for type in types}, "required": True}
    return operation


def _parameter(name: str) -> Json:
    return {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}


def _referred(paths: Json) -> Json:
    """The schemas that the paths name, and those that these name."""
    found: Json = {}
    waiting = [paths]
    while waiting:
        value: Any = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            reference = value.get("$ref")
            if isinstance(reference, str):
                name = reference.removeprefix(_PREFIX)
                if name not in found and name in schema.definitions():
                    found[name] = schema.definitions()[name]
                    waiting.append(found[name])
            waiting.extend(value.values())
    return dict(sorted(found.items()))


def version_2() -> Json:
    """/openapi/v2: definitions alone, enough for clients that only look kinds up."""
    text = msgspec.json.encode(schema.definitions()).replace(b"#/components/schemas/", b"#/definitions/")
    definitions: Json = msgspec.json.decode(text)
    return {"swagger": "2.0", "info": _INFO, "paths": {}, "definitions": definitions}


def version_2_protobuf() -> bytes:
    """The same question asked in protobuf, by kubectl for a kind that v3 doesn't know: a document without any."""
    swagger, title, version = (text.encode() for text in ("2.0", _INFO["title"], _INFO["version"]))
    info = b"\x0a" + bytes([len(title)]) + title + b"\x12" + bytes([len(version)]) + version
    return b"\x0a" + bytes([len(swagger)]) + swagger + b"\x12" + bytes([len(info)]) + info + b"\x42\x00"
