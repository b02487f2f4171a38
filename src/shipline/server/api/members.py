"""/projects/:id/members: who has which role in a project."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api.shapes import Shape, user_basic
from shipline.server.http.answers import because, no_such, refusal, time_text, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import paged_query
from shipline.server.http.routes import Endpoint

ROLES = (may.GUEST, 15, may.REPORTER, may.DEVELOPER, may.MAINTAINER, may.OWNER)


async def list_members(call: Call) -> Response:
    project = call.project(may.GUEST)
    query = _members(project.id)
    return paged_query(call, query, lambda row: _shape(call, row), [t.users.c.id])


async def show(call: Call) -> Response:
    return call.json(_shape(call, _wanted(call, may.GUEST)))


async def add(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    call.required("access_level")
    named = call.text("username")
    number = call.integer("user_id")
    accounts = call.instance.accounts
    user = accounts.by_name(named) if named else accounts.user(number) if number is not None else None
    if user is None:
        raise no_such("User")
    if call.instance.database.one(_members(project.id).where(t.users.c.id == user.id)) is not None:
        raise refusal(409, "Member already exists")
    level = _level(call, project)
    values = {"project_id": project.id, "user_id": user.id, "access_level": level, "created_at": time.time()}
    call.instance.database.execute(sa.insert(t.members).values(**values))
    call.audit("add member", f"{project.full_path}: {user.username} {level}")
    call.path["user"] = str(user.id)
    return call.json(_shape(call, _wanted(call, may.MAINTAINER)), 201)


async def change(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    row = _wanted(call, may.MAINTAINER)
    call.required("access_level")
    level = _level(call, project)
    changed = sa.update(t.members).where(t.members.c.project_id == project.id, t.members.c.user_id == row.id)
    call.instance.database.execute(changed.values(access_level=level))
    call.audit("change member", f"{project.full_path}: {row.username} {level}")
    return call.json(_shape(call, _wanted(call, may.MAINTAINER)))


async def remove(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    row = _wanted(call, may.MAINTAINER)
    doomed = sa.delete(t.members).where(t.members.c.project_id == project.id, t.members.c.user_id == row.id)
    call.instance.database.execute(doomed)
    call.audit("remove member", f"{project.full_path}: {row.username}")
    return Response(status_code=204)


def _level(call: Call, project: Any) -> int:
    """The role asked for, which may be no higher than the caller's own."""
    level = call.integer("access_level")
    if level not in ROLES:
        raise wrong_parameter("access_level does not have a valid value")
    if level > call.instance.projects.level(project, call.caller):
        raise because(403, "you cannot give a role that is higher than your own")
    return level


def _members(project_id: int) -> sa.Select[Any]:
    joined = sa.select(t.users, t.members.c.access_level, t.members.c.created_at.label("since"))
    return joined.join(t.members, t.members.c.user_id == t.users.c.id).where(t.members.c.project_id == project_id)


def _wanted(call: Call, level: int) -> Any:
    project = call.project(level)
    row = call.instance.database.one(_members(project.id).where(t.users.c.id == call.number("user")))
    if row is None:
        raise refusal(404)
    return row


def _shape(call: Call, row: Any) -> Shape:
    return user_basic(call, row) | {
        "access_level": row.access_level,
        "created_at": time_text(row.since),
        "expires_at": None,
        "membership_state": "active",
    }


ENDPOINTS = [
    Endpoint("GET", "/projects/{id}/members", list_members),
    Endpoint("GET", "/projects/{id}/members/all", list_members),
    Endpoint("POST", "/projects/{id}/members", add),
    Endpoint("GET", "/projects/{id}/members/{user}", show),
    Endpoint("PUT", "/projects/{id}/members/{user}", change),
    Endpoint("DELETE", "/projects/{id}/members/{user}", remove),
]
