"""/projects/:id/access_tokens and /groups/:id/access_tokens: tokens that act as nobody but a bot of their own,
which is a member with one role."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.accounts import is_active
from shipline.server.api import tokens
from shipline.server.api.groups import wanted_group
from shipline.server.api.members import ROLES
from shipline.server.api.shapes import Shape
from shipline.server.http.answers import because, no_such, refusal, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged_query
from shipline.server.http.routes import Endpoint
from shipline.server.permissions import SCOPES


class Holder(msgspec.Struct):
    """A project or group that has tokens. `column`: which bots are its own; `level`: the caller's."""

    kind: str
    number: int
    name: str
    column: sa.ColumnElement[Any]
    members: sa.Table
    key: sa.ColumnElement[int]
    level: int

    @property
    def tokens(self) -> sa.Select[Any]:
        bots = sa.select(t.users.c.id).where(self.column == self.number)
        return sa.select(t.tokens).where(t.tokens.c.user_id.in_(bots))


def _holder(call: Call) -> Holder:
    """What the path names, where the caller may manage its tokens: maintainers of projects, owners of groups."""
    instance = call.instance
    if "group" in call.path:
        group = wanted_group(call, may.OWNER)
        level = instance.groups.level(group.id, call.caller)
        key = t.group_members.c.namespace_id
        return Holder("group", group.id, group.path, t.users.c.bot_of_group, t.group_members, key, level)
    project = call.project(may.MAINTAINER)
    level = instance.projects.level(project, call.caller)
    key = t.members.c.project_id
    return Holder("project", project.id, project.full_path, t.users.c.bot_of_project, t.members, key, level)


async def list_tokens(call: Call) -> Response:
    holder = _holder(call)
    query = tokens.filtered(call, holder.tokens)
    return paged_query(call, query, lambda row: _shape(call, holder, row), [t.tokens.c.id])


async def show(call: Call) -> Response:
    holder = _holder(call)
    return call.json(_shape(call, holder, _wanted(call, holder)))


async def create(call: Call) -> Response:
    """With at most the caller's own role; a bot makes no further ones."""
    holder, user, accounts = _holder(call), call.user(), call.instance.accounts
    name, scopes = call.filled("name"), [str(scope) for scope in call.listed("scopes")]
    if not scopes or any(scope not in SCOPES or scope == "sudo" for scope in scopes):
        raise wrong_parameter("scopes does not have a valid value")
    level = call.integer("access_level") or may.MAINTAINER
    if level not in ROLES:
        raise wrong_parameter("access_level does not have a valid value")
    if level > holder.level:
        raise because(400, "Access level of the token can't be greater the access level of the user who created it")
    if accounts.is_bot(accounts.user(user.user_id)):
        raise because(400, f"User does not have permission to create {holder.kind} access token")
    expires = tokens.day(call)
    with call.instance.database.transaction():
        bot = accounts.create_bot(name, holder.kind, holder.number)
        member = {holder.key.name: holder.number, "user_id": bot, "access_level": level}
        call.instance.database.execute(sa.insert(holder.members).values(created_at=time.time(), **member))
        made = accounts.create_token(bot, name, scopes, expires, call.text("description"))
    call.audit("create access token", f"{holder.name}: {name}")
    return call.json(_shape(call, holder, tokens.token_row(call, made[0])) | {"token": made[1]}, 201)


async def rotate(call: Call) -> Response:
    """The old token ends; a new one of the same bot is in the answer."""
    holder = _holder(call)
    row = _wanted(call, holder)
    if not is_active(row):
        raise refusal(401)
    expires = tokens.day(call) or (datetime.now(UTC).date() + timedelta(days=7)).isoformat()
    with call.instance.database.transaction():
        tokens.end(call, row)
        made = call.instance.accounts.create_token(
            row.user_id, row.name, row.scopes.split(), expires, row.description or ""
        )
    return call.json(_shape(call, holder, tokens.token_row(call, made[0])) | {"token": made[1]})


async def revoke(call: Call) -> Response:
    """The bot is a member no more; what it did stays in its name."""
    holder = _holder(call)
    row = _wanted(call, holder)
    with call.instance.database.transaction():
        tokens.end(call, row)
        gone = (holder.key == holder.number) & (holder.members.c.user_id == row.user_id)
        call.instance.database.execute(sa.delete(holder.members).where(gone))
    return Response(status_code=204)


def _wanted(call: Call, holder: Holder) -> Any:
    found = call.instance.database.one(holder.tokens.where(t.tokens.c.id == call.number("token_id")))
    if found is None:
        raise no_such(f"{holder.kind} Access Token")
    return found


def _shape(call: Call, holder: Holder, row: Any) -> Shape:
    columns = holder.members.c
    role = sa.select(columns.access_level).where(holder.key == holder.number, columns.user_id == row.user_id)
    found = call.instance.database.one(role)
    about = {
        "access_level": found[0] if found else None,
        "resource_type": holder.kind,
        "resource_id": holder.number,
    }
    return tokens.shape(row) | about


def _endpoints(base: str) -> list[Endpoint]:
    one = base + "/{token_id}"
    listed = f"revoked:bool state:active|inactive search {PAGE}"
    asked = "name! scopes!:list access_level:int expires_at:date description"
    return [
        Endpoint("GET", base, list_tokens, takes=listed, gives="[AccessToken]"),
        Endpoint("POST", base, create, takes=asked, gives="AccessTokenWithToken"),
        Endpoint("GET", one, show, gives="AccessToken"),
        Endpoint(
            "POST", one + "/rotate", rotate, takes="expires_at:date", gives="AccessTokenWithToken", status=200
        ),
        Endpoint("DELETE", one, revoke, gives="-"),
    ]


ENDPOINTS = _endpoints("/projects/{id}/access_tokens") + _endpoints("/groups/{group}/access_tokens")
