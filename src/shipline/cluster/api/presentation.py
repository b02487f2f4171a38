"""Objects and lists as a client wants to see them: whole, as Tables, or their metadata alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from shipline.cluster.api import bodies, schema
from shipline.cluster.api.call import Call
from shipline.cluster.api.negotiation import PROTOBUF, Form
from shipline.cluster.api.resources import Resource
from shipline.cluster.api.watch import Stored

if TYPE_CHECKING:
    from shipline.cluster.api.exchange import Exchange
    from shipline.cluster.api.paging import Page

Json = dict[str, Any]


def is_known(api_version: str, kind: str) -> bool:
    """Whether a kind has a type here, served or not."""
    return schema.component(api_version, kind) is not None


def one(
    exchange: Exchange,
    resource: Resource,
    obj: Json,
    form: Form,
    status: int = 200,
    raw: bytes | None = None,
    call: Call | None = None,
) -> web.Response:
    """One object. `raw` is its JSON where that exists already."""
    if form.shape == "Table":
        from shipline.cluster.api import tables

        include = exchange.query.get("includeObject", "Metadata")
        listed = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        body = bodies.write(tables.table(resource, [obj], listed, form.version, include), form)
    elif form.shape:
        body = bodies.write(partial(obj, form.version), form)
    elif form.media == PROTOBUF:
        from shipline.cluster.api import protobuf

        body = protobuf.write(resource.api_version, resource.kind, obj)
    else:
        body = bodies.dress(raw if raw is not None else msgspec.json.encode(obj), form)
    return exchange.dress(web.Response(body=body, status=status), form.media, call)


def partial(obj: Json, version: str, typed: bool = True) -> Json:
    """An object's metadata alone."""
    head = {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}"} if typed else {}
    return {**head, "metadata": obj["metadata"]}


def many(exchange: Exchange, resource: Resource, page: Page, form: Form, call: Call | None = None) -> web.Response:
    """A list."""
    metadata: Json = {"resourceVersion": page.version}
    if page.next:
        metadata["continue"] = page.next
        if page.remaining is not None:
            metadata["remainingItemCount"] = page.remaining
    if form.shape == "Table":
        from shipline.cluster.api import tables

        include = exchange.query.get("includeObject", "Metadata")
        objects = [item.obj for item in page.items]
        body = bodies.write(tables.table(resource, objects, metadata, form.version, include), form)
    elif form.shape:
        items = [partial(item.obj, form.version, typed=False) for item in page.items]
        head = {"kind": "PartialObjectMetadataList", "apiVersion": f"meta.k8s.io/{form.version}"}
        body = bodies.write({**head, "metadata": metadata, "items": items}, form)
    elif form.media == PROTOBUF:
        from shipline.cluster.api import protobuf

        body = protobuf.write_list(resource, metadata, [item.obj for item in page.items])
    else:
        body = bodies.dress(_joined(resource, metadata, page.items), form)
    return exchange.dress(web.Response(body=body), form.media, call)


def _joined(resource: Resource, metadata: Json, items: list[Stored]) -> bytes:
    """A list's JSON from its items' JSON; items in a list carry neither kind nor apiVersion."""
    head = msgspec.json.encode({"kind": f"{resource.kind}List", "apiVersion": resource.api_version})
    lead = len(msgspec.json.encode({"kind": resource.kind, "apiVersion": resource.api_version}))
    parts = b",".join(b"{" + item.raw[lead:] for item in items)
    return head[:-1] + b',"metadata":' + msgspec.json.encode(metadata) + b',"items":[' + parts + b"]}"
