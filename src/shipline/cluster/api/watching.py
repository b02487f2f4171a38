"""Watches by HTTP: a stream of events, one JSON object a line, with bookmarks for those who ask."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import msgspec
from aiohttp import web

from shipline.cluster.api.errors import ApiError, invalid
from shipline.cluster.api.exchange import WATCH_SHAPES, Exchange
from shipline.cluster.api.negotiation import JSON, PROTOBUF, YAML, Form
from shipline.cluster.api.paging import read_version, too_large
from shipline.cluster.api.presentation import partial
from shipline.cluster.api.resources import Resource
from shipline.cluster.api.watch import Stored, Watch

Json = dict[str, Any]

_BOOKMARK_EVERY = 60.0
_BOOKMARK_BEFORE_END = 2.0
_STREAM_TYPES = {JSON: JSON, PROTOBUF: f"{PROTOBUF};stream=watch"}
_INITIAL_END = "k8s.io/initial-events-end"


async def serve(exchange: Exchange, resource: Resource) -> web.StreamResponse:
    """Stream events until the client goes, the time is up, or history is lost."""
    form = exchange.form(WATCH_SHAPES)
    bookmarks = exchange.flag("allowWatchBookmarks")
    initial = _wants_initial(exchange)
    try:
        watch = _open(exchange, resource, initial)
    except ApiError as error:
        if error.status_code not in (410, 504):
            raise
        return _lost(form, error)
    if form.media == YAML:
        form = Form(JSON)
    response = web.StreamResponse()
    response.headers["Content-Type"] = _STREAM_TYPES[form.media]
    await response.prepare(exchange.request)
    events = _Events(exchange, resource, form)
    seconds = exchange.number("timeoutSeconds") or 1800 + secrets.randbelow(1800)
    try:
        await _stream(exchange, response, watch, events, float(seconds), bookmarks, initial)
    except ConnectionError:
        pass  # The client has gone.
    finally:
        watch.close()
    return response


def _lost(form: Form, error: ApiError) -> web.StreamResponse:
    """What the client asks to continue from isn't known: told as the stream's only event."""
    return web.Response(body=_told(form, error), headers={"Content-Type": _STREAM_TYPES[form.media]})


def _told(form: Form, error: ApiError) -> bytes:
    """An error as an event."""
    status = error.status()
    if form.media == PROTOBUF:
        from shipline.cluster.api import protobuf

        return protobuf.write_event("ERROR", "v1", "Status", status)
    return msgspec.json.encode({"type": "ERROR", "object": status}) + b"\n"


def _wants_initial(exchange: Exchange) -> bool:
    query = exchange.query
    initial = exchange.flag("sendInitialEvents")
    match = query.get("resourceVersionMatch", "")
    causes = []
    if initial and match != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        causes.append(("FieldValueForbidden", "resourceVersionMatch", f"Forbidden: {why}"))
    elif match and "sendInitialEvents" not in query:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        causes.append(("FieldValueForbidden", "resourceVersionMatch", f"Forbidden: {why}"))
    if causes:
        raise invalid("ListOptions", "meta.k8s.io", "", causes)
    return initial


def _open(exchange: Exchange, resource: Resource, initial: bool) -> Watch:
    query, api = exchange.query, exchange.api
    text = query.get("resourceVersion", "")
    version = read_version(text) if text else 0
    if version > int(api.resource_version):
        raise too_large(version, int(api.resource_version))
    since = None if version == 0 or initial else version
    if query.get("sendInitialEvents", "") == "false" and version == 0:
        since = int(api.resource_version)
    fields = query.get("fieldSelector")
    if exchange.info.name:
        named = f"metadata.name={exchange.info.name}"
        fields = f"{fields},{named}" if fields else named
    return api.watch(resource.name, exchange.info.namespace, since, query.get("labelSelector"), fields)


async def _stream(
    exchange: Exchange,
    response: web.StreamResponse,
    watch: Watch,
    events: _Events,
    seconds: float,
    bookmarks: bool,
    initial: bool,
) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    bookmark = loop.time() + max(0.0, min(_BOOKMARK_EVERY, seconds - _BOOKMARK_BEFORE_END))
    while True:
        lines = []
        try:
            while (event := watch.ready()) is not None:
                lines.append(events.line(*event))
        except ApiError as lost:
            lines.append(_told(events.form, lost))
            await response.write(b"".join(lines))
            return
        if initial and bookmarks:
            initial = False
            lines.append(events.bookmark(exchange.api.resource_version, {_INITIAL_END: "true"}))
        now = loop.time()
        if bookmarks and now >= bookmark:
            lines.append(events.bookmark(exchange.api.resource_version))
            bookmark = now + _BOOKMARK_EVERY if now < end - _BOOKMARK_BEFORE_END else end + 1
        if lines:
            await response.write(b"".join(lines))
        if now >= end:
            return
        await watch.wait(min(end, bookmark if bookmarks else end) - now)


class _Events:
    """Events as lines, in the shape that the client asked for."""

    def __init__(self, exchange: Exchange, resource: Resource, form: Form) -> None:
        self._resource = resource
        self.form = form
        self._include = exchange.query.get("includeObject", "Metadata")
        self._headed = False

    def line(self, kind: str, stored: Stored) -> bytes:
        """One change."""
        if self.form.media == PROTOBUF:
            return self._protobuf(kind, stored.obj)
        if not self.form.shape:
            return b'{"type":"' + kind.encode() + b'","object":' + stored.raw + b"}\n"
        return self._shaped(kind, stored.obj)

    def bookmark(self, version: str, annotations: dict[str, str] | None = None) -> bytes:
        """A version up to which the client has seen everything."""
        metadata: Json = {"resourceVersion": version}
        if annotations:
            metadata["annotations"] = annotations
        head = {"kind": self._resource.kind, "apiVersion": self._resource.api_version}
        obj = {**head, "metadata": metadata}
        if self.form.media == PROTOBUF:
            return self._protobuf("BOOKMARK", obj)
        if self.form.shape:
            return self._shaped("BOOKMARK", obj)
        return msgspec.json.encode({"type": "BOOKMARK", "object": obj}) + b"\n"

    def _protobuf(self, kind: str, obj: Json) -> bytes:
        from shipline.cluster.api import protobuf

        return protobuf.write_event(kind, self._resource.api_version, self._resource.kind, obj)

    def _shaped(self, kind: str, obj: Json) -> bytes:
        if self.form.shape != "Table":
            shown = partial(obj, self.form.version)
        else:
            from shipline.cluster.api import tables

            listed = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            shown = tables.table(self._resource, [obj], listed, self.form.version, self._include)
            if self._headed:
                shown["columnDefinitions"] = None
            self._headed = True
        return msgspec.json.encode({"type": kind, "object": shown}) + b"\n"
