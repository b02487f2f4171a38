"""/user and /users."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import tables as t
from shipline.server.accounts import hash_password
from shipline.server.api.shapes import Shape, user_basic
from shipline.server.http.answers import Refusal, no_such, refusal, time_text, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import paged_query
from shipline.server.http.routes import Endpoint

USERNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
SHORTEST_PASSWORD = 8


async def current(call: Call) -> Response:
    caller = call.user()
    return call.json(_full(call, call.instance.accounts.user(caller.user_id)))


async def list_users(call: Call) -> Response:
    call.user()
    query = sa.select(t.users)
    if name := call.text("username"):
        query = query.where(sa.func.lower(t.users.c.username) == name.lower())
    if search := call.text("search"):
        like = f"%{search.lower()}%"
        found = [sa.func.lower(t.users.c[column]).like(like) for column in ("username", "name", "email")]
        query = query.where(sa.or_(*found))
    return paged_query(call, query, lambda row: _seen(call, row), [t.users.c.id.desc()])


async def show(call: Call) -> Response:
    call.user()
    return call.json(_seen(call, _wanted(call)))


async def create(call: Call) -> Response:
    call.administrator()
    call.required("email", "name", "username")
    username, email, password = call.text("username"), call.text("email"), call.text("password")
    if not USERNAME.fullmatch(username):
        raise Refusal(400, {"message": {"username": ["can contain only letters, digits, '_', '-' and '.'"]}})
    if not password and not call.boolean("force_random_password"):
        raise wrong_parameter(
            "password, reset_password, force_random_password are missing, at least one parameter must be provided"
        )
    if password and len(password) < SHORTEST_PASSWORD:
        text = f"is too short (minimum is {SHORTEST_PASSWORD} characters)"
        raise Refusal(400, {"message": {"password": [text]}})
    accounts = call.instance.accounts
    if accounts.by_name(email) is not None:
        raise refusal(409, "Email has already been taken")
    if accounts.by_name(username) is not None or call.instance.projects.namespace(username) is not None:
        raise refusal(409, "Username has already been taken")
    number = accounts.create(username, None, name=call.text("name"), email=email, admin=call.boolean("admin"))
    if password:
        await _set_password(call, number, password)
    call.audit("create user", username)
    return call.json(_full(call, accounts.user(number)), 201)


async def change(call: Call) -> Response:
    call.administrator()
    row = _wanted(call)
    values: dict[str, Any] = {name: call.text(name) for name in ("name", "email") if call.given(name)}
    if call.given("admin"):
        values["admin"] = call.boolean("admin")
    if values:
        call.instance.database.execute(sa.update(t.users).where(t.users.c.id == row.id).values(**values))
    if password := call.text("password"):
        await _set_password(call, row.id, password)
    call.audit("change user", row.username)
    return call.json(_full(call, _wanted(call)))


async def block(call: Call) -> Response:
    return _state(call, "blocked")


async def unblock(call: Call) -> Response:
    return _state(call, "active")


def _state(call: Call, state: str) -> Response:
    caller, row = call.administrator(), _wanted(call)
    if row.id == caller.user_id:
        raise refusal(403)
    call.instance.database.execute(sa.update(t.users).where(t.users.c.id == row.id).values(state=state))
    call.audit(f"user is {state}", row.username)
    return call.json(True, 201)


async def _set_password(call: Call, user_id: int, password: str) -> None:
    hashed = await asyncio.to_thread(hash_password, password)
    call.instance.database.execute(sa.update(t.users).where(t.users.c.id == user_id).values(password=hashed))


def _wanted(call: Call) -> Any:
    row = call.instance.accounts.user(call.number("user"))
    if row is None:
        raise no_such("User")
    return row


def _seen(call: Call, row: Any) -> Shape:
    return _full(call, row) if call.user().admin else user_basic(call, row)


def _full(call: Call, row: Any) -> Shape:
    return user_basic(call, row) | {
        "created_at": time_text(row.created_at),
        "bio": "",
        "bot": False,
        "last_sign_in_at": None,
        "confirmed_at": time_text(row.created_at),
        "email": row.email,
        "commit_email": row.email,
        "projects_limit": 100000,
        "identities": [],
        "can_create_group": True,
        "can_create_project": True,
        "two_factor_enabled": False,
        "external": False,
        "is_admin": row.admin,
    }


ENDPOINTS = [
    Endpoint("GET", "/user", current),
    Endpoint("GET", "/users", list_users),
    Endpoint("POST", "/users", create),
    Endpoint("GET", "/users/{user}", show),
    Endpoint("PUT", "/users/{user}", change),
    Endpoint("POST", "/users/{user}/block", block),
    Endpoint("POST", "/users/{user}/unblock", unblock),
]
