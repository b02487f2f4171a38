"""/personal_access_tokens: list, show, make, rotate, revoke."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import tables as t
from shipline.server.accounts import is_active
from shipline.server.api.shapes import Shape
from shipline.server.http.answers import no_such, refusal, time_text, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged_query
from shipline.server.http.routes import Endpoint
from shipline.server.permissions import SCOPES


async def list_tokens(call: Call) -> Response:
    user = call.user()
    wanted = call.integer("user_id", None if user.admin else user.user_id)
    if wanted not in (None, user.user_id) and not user.admin:
        raise refusal(401)
    query = sa.select(t.tokens)
    if wanted is not None:
        query = query.where(t.tokens.c.user_id == wanted)
    return paged_query(call, filtered(call, query), shape, [t.tokens.c.id])


def filtered(call: Call, query: sa.Select[Any]) -> sa.Select[Any]:
    """Those tokens that the call asks for."""
    if call.given("revoked"):
        query = query.where(t.tokens.c.revoked == call.boolean("revoked"))
    if search := call.text("search"):
        query = query.where(sa.func.lower(t.tokens.c.name).contains(search.lower(), autoescape=True))
    if state := call.text("state"):
        today = datetime.now(UTC).date().isoformat()
        alive = ~t.tokens.c.revoked & (t.tokens.c.expires_at.is_(None) | (t.tokens.c.expires_at > today))
        query = query.where(alive if state == "active" else ~alive)
    return query


async def show(call: Call) -> Response:
    return call.json(shape(_wanted(call)))


async def create(call: Call) -> Response:
    """POST users/:id/personal_access_tokens: for administrators."""
    call.administrator()
    user = call.instance.accounts.user(call.number("user"))
    if user is None:
        raise no_such("User")
    call.required("name", "scopes")
    scopes = [str(scope) for scope in call.listed("scopes")]
    if not scopes or any(scope not in SCOPES for scope in scopes):
        raise wrong_parameter("scopes does not have a valid value")
    expires = day(call)
    made = call.instance.accounts.create_token(
        user.id, call.text("name"), scopes, expires, call.text("description")
    )
    call.audit("create token", f"{user.username}: {call.text('name')}")
    return call.json(shape(token_row(call, made[0])) | {"token": made[1]}, 201)


async def rotate(call: Call) -> Response:
    """The old token ends; a new one with the same name and scopes is in the answer."""
    row = _wanted(call)
    if not is_active(row):
        raise refusal(401)
    expires = day(call) or (datetime.now(UTC).date() + timedelta(days=7)).isoformat()
    with call.instance.database.transaction():
        end(call, row)
        made = call.instance.accounts.create_token(
            row.user_id, row.name, row.scopes.split(), expires, row.description or ""
        )
    return call.json(shape(token_row(call, made[0])) | {"token": made[1]})


async def revoke(call: Call) -> Response:
    end(call, _wanted(call))
    return Response(status_code=204)


def end(call: Call, row: Any) -> None:
    """The token works no more."""
    call.instance.database.execute(sa.update(t.tokens).where(t.tokens.c.id == row.id).values(revoked=True))
    call.audit("revoke token", row.name)


def day(call: Call) -> str | None:
    """When a new token ends, as the call says."""
    text = call.text("expires_at")
    try:
        return date.fromisoformat(text).isoformat() if text else None
    except ValueError:
        raise wrong_parameter("expires_at is invalid") from None


def token_row(call: Call, number: int) -> Any:
    """The token of a number."""
    return call.instance.database.one(sa.select(t.tokens).where(t.tokens.c.id == number))


def _wanted(call: Call) -> Any:
    user = call.user()
    if call.path["token"] == "self":
        if user.token_id is None:
            raise refusal(400)
        return token_row(call, user.token_id)
    row = token_row(call, call.number("token"))
    if row is None or (row.user_id != user.user_id and not user.admin):
        raise refusal(404) if user.admin else refusal(401)
    return row


def shape(row: Any) -> Shape:
    """A token as GitLab tells of it."""
    return {
        "id": row.id,
        "name": row.name,
        "revoked": row.revoked,
        "created_at": time_text(row.created_at),
        "description": row.description,
        "scopes": row.scopes.split(),
        "user_id": row.user_id,
        "last_used_at": time_text(row.last_used_at),
        "active": is_active(row),
        "expires_at": row.expires_at,
    }


_ALL = "/personal_access_tokens"
_ONE = _ALL + "/{token}"
ENDPOINTS = [
    Endpoint(
        "GET",
        _ALL,
        list_tokens,
        takes=f"user_id:int revoked:bool state:active|inactive search {PAGE}",
        gives="[Token]",
    ),
    Endpoint("GET", _ONE, show, gives="Token"),
    Endpoint("POST", _ONE + "/rotate", rotate, takes="expires_at:date", gives="TokenWithToken", status=200),
    Endpoint("DELETE", _ONE, revoke, gives="-"),
    Endpoint(
        "POST",
        "/users/{user}/personal_access_tokens",
        create,
        takes="name! scopes!:list expires_at:date description",
        gives="TokenWithToken",
    ),
]
