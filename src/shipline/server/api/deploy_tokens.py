"""/projects/:id/deploy_tokens."""

from __future__ import annotations

from datetime import date
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.accounts import is_active
from shipline.server.api.shapes import Shape
from shipline.server.deploy_tokens import SCOPES
from shipline.server.http.answers import refusal, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged_query
from shipline.server.http.routes import Endpoint


async def list_tokens(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    query = sa.select(t.deploy_tokens).where(t.deploy_tokens.c.project_id == project.id)
    if call.boolean("active"):
        query = query.where(~t.deploy_tokens.c.revoked)
    return paged_query(call, query, _shape, [t.deploy_tokens.c.id])


async def create(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    scopes = [str(scope) for scope in call.listed("scopes")]
    if not scopes or any(scope not in SCOPES for scope in scopes):
        raise wrong_parameter("scopes does not have a valid value")
    expires = call.text("expires_at")[:10] or None
    try:
        expires = date.fromisoformat(expires).isoformat() if expires else None
    except ValueError:
        raise wrong_parameter("expires_at is invalid") from None
    made = call.instance.deploy_tokens.create(
        project.id, call.filled("name"), call.text("username"), scopes, expires
    )
    call.audit("create deploy token", f"{project.full_path}: {call.text('name')}")
    return call.json(_shape(made[0]) | {"token": made[1]}, 201)


async def show(call: Call) -> Response:
    return call.json(_shape(_wanted(call)))


async def revoke(call: Call) -> Response:
    row = _wanted(call)
    call.instance.database.execute(sa.delete(t.deploy_tokens).where(t.deploy_tokens.c.id == row.id))
    call.audit("revoke deploy token", row.name)
    return Response(status_code=204)


def _wanted(call: Call) -> Any:
    project = call.project(may.MAINTAINER)
    row = call.instance.deploy_tokens.by_id(call.number("token_id"))
    if row is None or row.project_id != project.id:
        raise refusal(404)
    return row


def _shape(row: Any) -> Shape:
    return {
        "id": row.id,
        "name": row.name,
        "username": row.username,
        "expires_at": f"{row.expires_at}T00:00:00.000Z" if row.expires_at else None,
        "scopes": row.scopes.split(),
        "revoked": row.revoked,
        "expired": not row.revoked and not is_active(row),
    }


_ALL = "/projects/{id}/deploy_tokens"
ENDPOINTS = [
    Endpoint("GET", _ALL, list_tokens, takes=f"active:bool {PAGE}", gives="[DeployToken]"),
    Endpoint("POST", _ALL, create, takes="name! scopes!:list username expires_at", gives="DeployTokenWithToken"),
    Endpoint("GET", _ALL + "/{token_id}", show, gives="DeployToken"),
    Endpoint("DELETE", _ALL + "/{token_id}", revoke, gives="-"),
]
