"""The verbs on objects: get, list, create, update, patch, delete, by HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiohttp import web

from shipline.cluster.api import paging, presentation, subresources, watching
from shipline.cluster.api.call import Call
from shipline.cluster.api.errors import ApiError, bad_request, invalid, unknown_path
from shipline.cluster.api.eventsapi import EventsApi
from shipline.cluster.api.exchange import LIST_SHAPES, OBJECT_SHAPES, Exchange
from shipline.cluster.api.reading import read_object, read_patch
from shipline.cluster.api.resources import Resource, at

Json = dict[str, Any]

_GONE_ALREADY = 404
_CREATED_BY_UPDATE = ("services", "endpoints", "events", "leases.coordination.k8s.io")
_DEPRECATED = {"endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"}


async def serve(exchange: Exchange) -> web.StreamResponse:
    """Answer a request for a resource; ApiError otherwise."""
    info = exchange.info
    resource = at(info.group, info.version, info.plural)
    if resource is not None and resource.name == "events.events.k8s.io":
        exchange = replace(exchange, api=EventsApi(exchange.api))
    if (
        resource is None
        or (info.rest and info.subresource != "proxy")
        or (info.namespace is not None and not resource.namespaced)
    ):
        raise unknown_path()
    if info.subresource:
        return await subresources.serve(exchange, resource)
    verb = info.verb
    if verb not in resource.verbs:
        raise _not_allowed()
    if resource.namespaced and info.namespace is None and (info.name or verb == "deletecollection"):
        raise _not_allowed()
    if exchange.request.method == "HEAD" or (verb in ("update", "patch") and not info.name):
        raise _not_allowed()
    if verb == "watch":
        return await watching.serve(exchange, resource)
    if verb in ("list", "deletecollection"):
        return await (_list if verb == "list" else _delete_collection)(exchange, resource)
    if verb == "create":
        if info.name or (resource.namespaced and info.namespace is None):
            raise _not_allowed()
        return await _create(exchange, resource)
    if verb == "get":
        obj = exchange.api.stored(resource.name, info.namespace, info.name)
        form = exchange.form(OBJECT_SHAPES)
        return presentation.one(exchange, resource, obj.obj, form, raw=obj.raw, call=_warned(resource))
    return await {"update": _update, "patch": _patch, "delete": _delete}[verb](exchange, resource)


def _not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def _warned(resource: Resource) -> Call | None:
    text = _DEPRECATED.get(resource.name)
    return Call(warnings=[text]) if text else None


async def _list(exchange: Exchange, resource: Resource) -> web.Response:
    form = exchange.form(LIST_SHAPES)
    page = paging.page(exchange, resource)
    return presentation.many(exchange, resource, page, form, _warned(resource))


async def _create(exchange: Exchange, resource: Resource) -> web.Response:
    from shipline.cluster.api import reviews

    form = exchange.form(OBJECT_SHAPES)
    call = exchange.call()
    obj = await read_object(exchange, resource.api_version, resource.kind)
    if resource.verbs == ("create",):
        return exchange.answer(reviews.answer(exchange, resource, obj), 201)
    made = exchange.api.create(resource.name, exchange.info.namespace, obj, call)
    return presentation.one(exchange, resource, made, form, 201, call=call)


def _named(exchange: Exchange, obj: Json) -> None:
    """An object in a body must carry the name in the path."""
    name, said = exchange.info.name, (obj.get("metadata") or {}).get("name")
    if not said:
        obj.setdefault("metadata", {})["name"] = name
    elif said != name:
        raise bad_request(f"the name of the object ({said}) does not match the name on the URL ({name})")


async def _update(exchange: Exchange, resource: Resource) -> web.Response:
    info, api = exchange.info, exchange.api
    form = exchange.form(OBJECT_SHAPES)
    call = exchange.call()
    obj = await read_object(exchange, resource.api_version, resource.kind)
    _named(exchange, obj)
    if api.look_up(resource.name, info.namespace, info.name) is None and _made_by_update(resource):
        made = api.create(resource.name, info.namespace, obj, call)
        return presentation.one(exchange, resource, made, form, 201, call=call)
    changed = api.update(resource.name, info.namespace, obj, call)
    return presentation.one(exchange, resource, changed, form, call=call)


def _made_by_update(resource: Resource) -> bool:
    return resource.name in _CREATED_BY_UPDATE or resource.group == "rbac.authorization.k8s.io"


async def _patch(exchange: Exchange, resource: Resource) -> web.Response:
    info, api = exchange.info, exchange.api
    form = exchange.form(OBJECT_SHAPES)
    call = exchange.call()
    patch, type = await read_patch(exchange)
    if type == "apply" and "fieldManager" not in exchange.query:
        why = "Required value: is required for apply patch"
        raise invalid("PatchOptions", "meta.k8s.io", "", [("FieldValueRequired", "fieldManager", why)])
    if type != "apply" and "force" in exchange.query:
        why = "Forbidden: may not be specified for non-apply patch"
        raise invalid("PatchOptions", "meta.k8s.io", "", [("FieldValueForbidden", "force", why)])
    existed = api.look_up(resource.name, info.namespace, info.name) is not None
    changed = api.patch(resource.name, info.namespace, info.name, patch, type, call=call)
    return presentation.one(exchange, resource, changed, form, 200 if existed else 201, call=call)


async def delete_options(exchange: Exchange) -> Json:
    """DeleteOptions from the body, or from the query where there is no body."""
    options: Json = {}
    if await exchange.request.read():
        options = await exchange.body("DeleteOptions") or {}
    grace = exchange.number("gracePeriodSeconds")
    if grace is not None:
        options.setdefault("gracePeriodSeconds", grace)
    if "propagationPolicy" in exchange.query:
        options.setdefault("propagationPolicy", exchange.query["propagationPolicy"])
    orphan = options.get("orphanDependents")
    if "orphanDependents" in exchange.query:
        orphan = exchange.flag("orphanDependents")
    if orphan is not None:
        options.setdefault("propagationPolicy", "Orphan" if orphan else "Background")
    return options


async def _delete(exchange: Exchange, resource: Resource) -> web.Response:
    info, api = exchange.info, exchange.api
    options = await delete_options(exchange)
    call = exchange.call(options)
    gone = _delete_one(exchange, resource, info.name, options, call)
    still_there = api.look_up(resource.name, info.namespace, info.name)
    if still_there is not None or resource.returns_deleted:
        return presentation.one(exchange, resource, gone, exchange.form(OBJECT_SHAPES), call=call)
    details: Json = {"name": info.name}
    if resource.group:
        details["group"] = resource.group
    details |= {"kind": resource.plural, "uid": gone["metadata"]["uid"]}
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    return exchange.answer(status)


def _delete_one(exchange: Exchange, resource: Resource, name: str, options: Json, call: Call) -> Json:
    return exchange.api.delete(
        resource.name,
        exchange.info.namespace,
        name,
        options.get("gracePeriodSeconds"),
        options.get("propagationPolicy"),
        options.get("preconditions"),
        call,
    )


async def _delete_collection(exchange: Exchange, resource: Resource) -> web.Response:
    options = await delete_options(exchange)
    call = exchange.call(options)
    page = paging.page(exchange, resource)
    for item in page.items:
        metadata = item.obj["metadata"]
        try:
            exchange.api.delete(
                resource.name,
                metadata.get("namespace"),
                metadata["name"],
                options.get("gracePeriodSeconds"),
                options.get("propagationPolicy"),
                options.get("preconditions"),
                call,
            )
        except ApiError as error:
            if error.status_code != _GONE_ALREADY:
                raise
    return presentation.many(exchange, resource, page, exchange.form(LIST_SHAPES), call)
