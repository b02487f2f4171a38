"""Members of projects and of groups: who has which role."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api.groups import wanted_group
from shipline.server.api.shapes import Shape, user_basic
from shipline.server.http.answers import because, no_such, refusal, time_text, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged, paged_query
from shipline.server.http.routes import Endpoint

ROLES = (may.GUEST, 15, may.REPORTER, may.DEVELOPER, may.MAINTAINER, may.OWNER)


class Circle(msgspec.Struct):
    """A project or a group, as far as its members go."""

    name: str
    table: sa.Table
    key: sa.ColumnElement[int]
    number: int
    level: int
    groups: list[int]

    @property
    def own(self) -> sa.Select[Any]:
        """Its direct members."""
        return _joined(self.table).where(self.key == self.number)


def _joined(table: sa.Table) -> sa.Select[Any]:
    users = sa.select(t.users, table.c.access_level, table.c.created_at.label("since"))
    return users.join(table, table.c.user_id == t.users.c.id)


def _circle(call: Call, level: int) -> Circle:
    """What the path names, where the caller has at least this level."""
    instance = call.instance
    if "group" in call.path:
        group = wanted_group(call, level)
        own = instance.groups.level(group.id, call.caller)
        above = [row.id for row in instance.groups.lineage(group.id)]
        key = t.group_members.c.namespace_id
        return Circle(group.path, t.group_members, key, group.id, own, above)
    project = call.project(level)
    own = instance.projects.level(project, call.caller)
    above = [row.id for row in instance.groups.lineage(project.namespace_id)]
    return Circle(project.full_path, t.members, t.members.c.project_id, project.id, own, above)


async def list_members(call: Call) -> Response:
    circle = _circle(call, may.GUEST)
    query = circle.own
    if search := call.text("query"):
        found = [
            sa.func.lower(column).contains(search.lower(), autoescape=True)
            for column in (t.users.c.username, t.users.c.name, t.users.c.email)
        ]
        query = query.where(sa.or_(*found))
    return paged_query(call, query, lambda row: _shape(call, row), [t.users.c.id])


async def list_all(call: Call) -> Response:
    """Those of the groups above as well, each with the highest role that they have."""
    highest = _everybody(call, _circle(call, may.GUEST))
    return paged(call, [highest[number] for number in sorted(highest)], lambda row: _shape(call, row))


async def show(call: Call) -> Response:
    return call.json(_shape(call, _wanted(call, _circle(call, may.GUEST))))


async def show_inherited(call: Call) -> Response:
    row = _everybody(call, _circle(call, may.GUEST)).get(call.number("user"))
    if row is None:
        raise refusal(404)
    return call.json(_shape(call, row))


async def add(call: Call) -> Response:
    circle = _circle(call, may.MAINTAINER)
    named, number = call.text("username"), call.integer("user_id")
    if not named and number is None:
        raise wrong_parameter("user_id, username are missing, at least one parameter must be provided")
    accounts = call.instance.accounts
    user = accounts.by_name(named) if named else accounts.user(number or 0)
    if user is None:
        raise no_such("User")
    level = _level(call, circle)
    if call.instance.database.one(circle.own.where(t.users.c.id == user.id)) is not None:
        raise refusal(409, "Member already exists")
    values = {circle.key.key or "": circle.number, "user_id": user.id, "access_level": level}
    call.instance.database.execute(sa.insert(circle.table).values(created_at=time.time(), **values))
    call.audit("add member", f"{circle.name}: {user.username} {level}")
    call.path["user"] = str(user.id)
    return call.json(_shape(call, _wanted(call, circle)), 201)


async def change(call: Call) -> Response:
    circle = _circle(call, may.MAINTAINER)
    row = _wanted(call, circle)
    level = _level(call, circle)
    if row.access_level > circle.level:
        raise refusal(403)
    changed = sa.update(circle.table).where(circle.key == circle.number, circle.table.c.user_id == row.id)
    call.instance.database.execute(changed.values(access_level=level))
    call.audit("change member", f"{circle.name}: {row.username} {level}")
    return call.json(_shape(call, _wanted(call, circle)))


async def remove(call: Call) -> Response:
    """Somebody may always leave; others are removed by maintainers, owners of groups by owners."""
    circle = _circle(call, may.GUEST)
    row = _wanted(call, circle)
    mine = row.id == call.user().user_id
    if not mine and (circle.level < may.MAINTAINER or row.access_level > circle.level):
        raise refusal(403)
    doomed = sa.delete(circle.table).where(circle.key == circle.number, circle.table.c.user_id == row.id)
    call.instance.database.execute(doomed)
    call.audit("remove member", f"{circle.name}: {row.username}")
    return Response(status_code=204)


def _level(call: Call, circle: Circle) -> int:
    """The role asked for, which may be no higher than the caller's own."""
    level = call.integer("access_level")
    if level not in ROLES:
        raise wrong_parameter("access_level does not have a valid value")
    if level > circle.level:
        raise because(403, "you cannot give a role that is higher than your own")
    return level


def _everybody(call: Call, circle: Circle) -> dict[int, Any]:
    above = _joined(t.group_members).where(t.group_members.c.namespace_id.in_(circle.groups))
    highest: dict[int, Any] = {}
    for row in [*call.instance.database.all(circle.own), *call.instance.database.all(above)]:
        if row.id not in highest or row.access_level > highest[row.id].access_level:
            highest[row.id] = row
    return highest


def _wanted(call: Call, circle: Circle) -> Any:
    row = call.instance.database.one(circle.own.where(t.users.c.id == call.number("user")))
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


_ADDED = "access_level!:int user_id:int username"
ENDPOINTS = [
    endpoint
    for base in ("/projects/{id}/members", "/groups/{group}/members")
    for endpoint in (
        Endpoint("GET", base, list_members, takes=f"query {PAGE}", gives="[Member]"),
        Endpoint("GET", base + "/all", list_all, takes=PAGE, gives="[Member]"),
        Endpoint("GET", base + "/all/{user}", show_inherited, gives="Member"),
        Endpoint("POST", base, add, takes=_ADDED, gives="Member"),
        Endpoint("GET", base + "/{user}", show, gives="Member"),
        Endpoint("PUT", base + "/{user}", change, takes="access_level!:int", gives="Member"),
        Endpoint("DELETE", base + "/{user}", remove, gives="-"),
    )
]
