"""Paths below an object: status, scale, binding, eviction, token, finalize, and the streams of a pod."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from shipline.cluster.api import patching, presentation, tokens
from shipline.cluster.api.errors import ApiError, bad_request, invalid, not_found, unknown_path
from shipline.cluster.api.exchange import OBJECT_SHAPES, Exchange
from shipline.cluster.api.objects import ordered
from shipline.cluster.api.reading import read_object, read_patch
from shipline.cluster.api.resources import Resource, Subresource, of_kind
from shipline.cluster.api.tables.columns import selector as selector_text

Json = dict[str, Any]

_STREAMS = ("exec", "attach", "portforward", "log")
_CREATED = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
_SCALES = Resource("scales", "Scale", "autoscaling")
_SHORTEST_TOKEN = 600
_LONGEST_TOKEN = 1 << 32


async def serve(exchange: Exchange, resource: Resource) -> web.StreamResponse:
    """Answer a request for a subresource; ApiError 404 when there is no such."""
    info = exchange.info
    sub = resource.subresource(info.subresource)
    if sub is None:
        raise unknown_path()
    if resource.namespaced and info.namespace is None:
        raise unknown_path()
    if info.verb not in sub.verbs:
        message = "the server does not allow this method on the requested resource"
        raise ApiError(405, "MethodNotAllowed", message, {})
    if sub.name in _STREAMS:
        from shipline.cluster.api import podstreams

        return await podstreams.serve(exchange, sub.name)
    if sub.name == "proxy":
        from shipline.cluster.api import podproxy

        return await podproxy.serve(exchange)
    if sub.name in ("status", "finalize"):
        return await _part(exchange, resource, sub)
    if sub.name == "scale":
        return await _scale(exchange, resource)
    return await {"binding": _bind, "eviction": _evict, "token": _token}[sub.name](exchange)


async def _part(exchange: Exchange, resource: Resource, sub: Subresource) -> web.Response:
    info, api = exchange.info, exchange.api
    form = exchange.form(OBJECT_SHAPES)
    if info.verb == "get":
        stored = api.stored(resource.name, info.namespace, info.name)
        return presentation.one(exchange, resource, stored.obj, form, raw=stored.raw)
    call = exchange.call()
    if info.verb == "patch":
        patch, type = await read_patch(exchange)
        changed = api.patch(resource.name, info.namespace, info.name, patch, type, sub.name, call)
    else:
        obj = await read_object(exchange, resource.api_version, resource.kind)
        _check_name(exchange, obj)
        changed = api.update(resource.name, info.namespace, obj, call, sub.name)
    return presentation.one(exchange, resource, changed, form, call=call)


def _check_name(exchange: Exchange, obj: Json) -> None:
    name = exchange.info.name
    said = obj.setdefault("metadata", {}).setdefault("name", name)
    if said != name:
        raise bad_request(f"the name of the object ({said}) does not match the name on the URL ({name})")


# Scale


def scale_of(obj: Json) -> Json:
    """The Scale of a Deployment or ReplicaSet."""
    metadata, status = obj["metadata"], obj.get("status") or {}
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": obj["spec"].get("replicas", 0)},
        "status": {
            "replicas": status.get("replicas", 0),
            "selector": selector_text(obj["spec"].get("selector")),
        },
    }


async def _scale(exchange: Exchange, resource: Resource) -> web.Response:
    info, api = exchange.info, exchange.api
    call = exchange.call()
    obj = api.get(resource.name, info.namespace, info.name)
    if info.verb == "get":
        return presentation.one(exchange, _SCALES, scale_of(obj), exchange.form(OBJECT_SHAPES))
    if info.verb == "patch":
        patch, type = await read_patch(exchange)
        wanted = patching.patched(_SCALES, scale_of(obj), patch, type)
    else:
        wanted = await read_object(exchange, "autoscaling/v1", "Scale")
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid("Scale", "autoscaling", info.name, [("FieldValueInvalid", "spec.replicas", why)])
    version = (wanted.get("metadata") or {}).get("resourceVersion")
    if version:
        obj["metadata"]["resourceVersion"] = version
    obj["spec"]["replicas"] = replicas
    return exchange.answer(scale_of(api.update(resource.name, info.namespace, obj, call, "scale")))


# Pods


async def _bind(exchange: Exchange) -> web.Response:
    binding = await read_object(exchange, "v1", "Binding")
    target = binding.get("target") or {}
    if target.get("kind", "Node") not in ("", "Node"):
        why = f'Unsupported value: "{target["kind"]}": supported values: "Node", "<empty>"'
        raise invalid("Binding", "", exchange.info.name, [("FieldValueNotSupported", "target.kind", why)])
    if not target.get("name"):
        raise invalid("Binding", "", exchange.info.name, [("FieldValueRequired", "target.name", "Required value")])
    namespace = exchange.info.namespace or ""
    exchange.api.bind(namespace, exchange.info.name, target["name"], exchange.call())
    return exchange.answer(_CREATED, 201)


async def _evict(exchange: Exchange) -> web.Response:
    """There are no disruption budgets here, so an eviction is a deletion."""
    info = exchange.info
    eviction = await read_object(exchange, "policy/v1", "Eviction")
    options = eviction.get("deleteOptions") or {}
    exchange.api.delete(
        "pods",
        info.namespace,
        info.name,
        options.get("gracePeriodSeconds"),
        options.get("propagationPolicy"),
        options.get("preconditions"),
        exchange.call(options),
    )
    return exchange.answer(_CREATED, 201)


# Tokens


async def _token(exchange: Exchange) -> web.Response:
    info = exchange.info
    request = await read_object(exchange, "authentication.k8s.io/v1", "TokenRequest")
    answer = issue(exchange, info.namespace or "", info.name, request.get("spec") or {})
    return exchange.answer(answer, 201)


def issue(exchange: Exchange, namespace: str, name: str, spec: Json) -> Json:
    """The answered TokenRequest for a service account."""
    api = exchange.api
    account = api.stored("serviceaccounts", namespace, name).obj
    return token_request(exchange.key, account, spec, _bound(exchange, namespace, spec.get("boundObjectRef")))


def token_request(key: tokens.TokenKey, account: Json, spec: Json, bound: Json | None) -> Json:
    """A signed token for `account` as a TokenRequest; ApiError 422 for an impossible lifetime."""
    seconds = spec.get("expirationSeconds") or 3600
    why = ""
    if seconds < _SHORTEST_TOKEN:
        why = "may not specify a duration less than 10 minutes"
    elif seconds > _LONGEST_TOKEN:
        why = "may not specify a duration larger than 2^32 seconds"
    if why:
        cause = ("FieldValueInvalid", "spec.expirationSeconds", f"Invalid value: {seconds}: {why}")
        raise invalid("TokenRequest", "authentication.k8s.io", "", [cause])
    claims = tokens.claims_for(account, spec.get("audiences") or [], seconds, bound)
    from datetime import UTC, datetime

    metadata = account["metadata"]
    now = datetime.now(UTC)
    written: Json = {"audiences": claims["aud"], "expirationSeconds": seconds}
    written["boundObjectRef"] = spec.get("boundObjectRef")
    answer = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "creationTimestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "spec": written,
        "status": {
            "token": key.sign(claims),
            "expirationTimestamp": datetime.fromtimestamp(claims["exp"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    }
    return ordered(Resource("tokenrequests", "TokenRequest", "authentication.k8s.io"), answer)


def _bound(exchange: Exchange, namespace: str, reference: Json | None) -> Json | None:
    if not reference:
        return None
    kind, name = reference.get("kind", ""), reference.get("name", "")
    resource = of_kind(reference.get("apiVersion") or "v1", kind)
    if resource is None or kind not in ("Pod", "Secret", "Node"):
        raise bad_request(f"cannot bind token to object of type {kind}")
    found = exchange.api.look_up(resource.name, namespace if resource.namespaced else None, name)
    if found is None:
        raise not_found(resource.name, name)
    if reference.get("uid") and reference["uid"] != found["metadata"]["uid"]:
        message = (
            f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise ApiError(409, "Conflict", f'Operation cannot be fulfilled on {resource.name} "{name}": {message}')
    return found
