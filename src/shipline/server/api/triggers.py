"""Trigger tokens of a project. Who has one may start pipelines, in the name of its owner."""

from __future__ import annotations

import secrets
import time
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api.shapes import Shape, user_of
from shipline.server.http.answers import no_record, time_text
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged_query
from shipline.server.http.routes import Endpoint
from shipline.server.vault import digest

PREFIX = "glptt-"
SHOWN_TO_OTHERS = 4


async def list_triggers(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    query = sa.select(t.triggers).where(t.triggers.c.project_id == project.id)
    return paged_query(call, query, lambda row: _shape(call, row), [t.triggers.c.id])


async def show(call: Call) -> Response:
    return call.json(_shape(call, _wanted(call)))


async def create(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    call.required("description")
    token, now = PREFIX + secrets.token_hex(20), time.time()
    number = call.instance.database.insert(
        t.triggers,
        project_id=project.id,
        description=call.text("description"),
        digest=digest(token),
        token=call.instance.vault.seal(token, _place(project.id)),
        owner_id=call.user().user_id,
        created_at=now,
        updated_at=now,
    )
    call.audit("create trigger", str(number))
    row = call.instance.database.one(sa.select(t.triggers).where(t.triggers.c.id == number))
    return call.json(_shape(call, row), 201)


async def change(call: Call) -> Response:
    row = _wanted(call)
    changed = sa.update(t.triggers).where(t.triggers.c.id == row.id)
    description = call.text("description", row.description)
    call.instance.database.execute(changed.values(description=description, updated_at=time.time()))
    return call.json(_shape(call, _wanted(call)))


async def delete(call: Call) -> Response:
    row = _wanted(call)
    call.instance.database.execute(sa.delete(t.triggers).where(t.triggers.c.id == row.id))
    call.audit("delete trigger", str(row.id))
    return Response(status_code=204)


def _wanted(call: Call) -> Any:
    project = call.project(may.MAINTAINER)
    row = call.instance.database.one(sa.select(t.triggers).where(t.triggers.c.id == call.number("trigger_id")))
    if row is None or row.project_id != project.id:
        raise no_record()
    return row


def token_of(call: Call, row: Any) -> str:
    """The token itself, of a row of the triggers."""
    return call.instance.vault.unseal(row.token, _place(row.project_id))


def _place(project_id: int) -> str:
    return f"trigger token of project {project_id}"


def _shape(call: Call, row: Any) -> Shape:
    token = token_of(call, row)
    mine = call.user().user_id == row.owner_id
    return {
        "id": row.id,
        "token": token if mine else token[:SHOWN_TO_OTHERS],
        "description": row.description,
        "created_at": time_text(row.created_at),
        "updated_at": time_text(row.updated_at),
        "last_used": time_text(row.last_used),
        "expires_at": None,
        "owner": user_of(call, row.owner_id),
    }


_ALL = "/projects/{id}/triggers"
_ONE = _ALL + "/{trigger_id}"
ENDPOINTS = [
    Endpoint("GET", _ALL, list_triggers, takes=PAGE, gives="[Trigger]"),
    Endpoint("POST", _ALL, create, takes="description!", gives="Trigger"),
    Endpoint("GET", _ONE, show, gives="Trigger"),
    Endpoint("PUT", _ONE, change, takes="description", gives="Trigger"),
    Endpoint("DELETE", _ONE, delete, gives="-"),
]
