"""/projects/:id/merge_requests/:iid/notes: what people say about a merge request."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.api.merge_requests import ONE, wanted
from shipline.server.http.answers import Refusal, no_record, refusal, time_text
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, ordered, paged_query
from shipline.server.http.routes import Endpoint

ORDERS = {name: t.notes.c[name] for name in ("created_at", "updated_at")}
LONGEST = 1_000_000
"""Characters, as at GitLab."""


async def list_notes(call: Call) -> Response:
    call.user()
    project, row = wanted(call)
    return paged_query(
        call,
        call.instance.notes.of(row.id),
        lambda note: _shape(call, project, row, note),
        ordered(call, ORDERS, t.notes.c.id, "created_at"),
    )


async def show(call: Call) -> Response:
    call.user()
    project, row = wanted(call)
    return call.json(_shape(call, project, row, _note(call, row)))


async def create(call: Call) -> Response:
    user = call.user()
    project, row = wanted(call)
    body = _body(call)
    earlier = call.moment("created_at") if call.instance.projects.level(project, user) >= may.OWNER else None
    note = call.instance.notes.add(row.id, user.user_id, body, earlier)
    return call.json(_shape(call, project, row, note), 201)


async def change(call: Call) -> Response:
    project, row = wanted(call)
    note = _own(call, project, row)
    if "body" in call.values:
        call.instance.notes.change(note.id, _body(call))
    return call.json(_shape(call, project, row, _note(call, row)))


async def delete(call: Call) -> Response:
    project, row = wanted(call)
    call.instance.notes.delete(_own(call, project, row).id)
    return Response(status_code=204)


def _body(call: Call) -> str:
    body = call.filled("body")
    if len(body) > LONGEST:
        text = f"is too long ({len(body)} characters). The maximum size is {LONGEST} characters."
        raise Refusal(400, {"message": {"note": [text]}})
    return body


def _note(call: Call, row: Any) -> Any:
    note = call.instance.notes.find(row.id, call.number("note_id"))
    if note is None:
        raise no_record()
    return note


def _own(call: Call, project: Any, row: Any) -> Any:
    """The note, where the caller wrote it or maintains the project."""
    user, note = call.user(), _note(call, row)
    if note.author_id != user.user_id and call.instance.projects.level(project, user) < may.MAINTAINER:
        raise refusal(403)
    return note


def _shape(call: Call, project: Any, row: Any, note: Any) -> shapes.Shape:
    return {
        "id": note.id,
        "type": None,
        "body": note.body,
        "author": shapes.user_of(call, note.author_id),
        "created_at": time_text(note.created_at),
        "updated_at": time_text(note.updated_at),
        "system": False,
        "noteable_id": row.id,
        "noteable_type": "MergeRequest",
        "project_id": project.id,
        "resolvable": False,
        "confidential": False,
        "internal": False,
        "imported": False,
        "imported_from": "none",
        "noteable_iid": row.iid,
        "commands_changes": {},
    }


_ALL = ONE + "/notes"
_NOTE = _ALL + "/{note_id}"
ENDPOINTS = [
    Endpoint("GET", _ALL, list_notes, takes=f"order_by:created_at|updated_at sort:asc|desc {PAGE}", gives="[Note]"),
    Endpoint("POST", _ALL, create, takes="body! created_at:ts", gives="Note"),
    Endpoint("GET", _NOTE, show, gives="Note"),
    Endpoint("PUT", _NOTE, change, takes="body", gives="Note"),
    Endpoint("DELETE", _NOTE, delete, gives="-"),
]
