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
from shipline.server.http.paging import PAGE, ordered, paged_query
from shipline.server.http.routes import Endpoint

EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
USERNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 128
ORDERS = {name: t.users.c[name] for name in ("id", "name", "username", "created_at")}


async def current(call: Call) -> Response:
    caller = call.user()
    return call.json(_full(call, call.instance.accounts.user(caller.user_id)))


async def list_users(call: Call) -> Response:
    call.user()
    query = sa.select(t.users)
    if name := call.text("username"):
        query = query.where(sa.func.lower(t.users.c.username) == name.lower())
    if search := call.text("search"):
        found = [
            sa.func.lower(t.users.c[column]).contains(search.lower(), autoescape=True)
            for column in ("username", "name", "email")
        ]
        query = query.where(sa.or_(*found))
    if call.boolean("active"):
        query = query.where(t.users.c.state == "active")
    if call.boolean("blocked"):
        query = query.where(t.users.c.state == "blocked")
    if call.boolean("external"):
        query = query.where(sa.false())
    if call.boolean("admins") and call.user().admin:
        query = query.where(t.users.c.admin)
    order = ordered(call, ORDERS, t.users.c.id, "id")
    return paged_query(call, query, lambda row: _seen(call, row), order, keys=ORDERS)


async def show(call: Call) -> Response:
    call.user()
    return call.json(_seen(call, _wanted(call)))


async def create(call: Call) -> Response:
    call.administrator()
    call.required("email", "name", "username")
    username, email, password = call.text("username"), call.text("email"), call.text("password")
    if not USERNAME.fullmatch(username):
        raise Refusal(400, {"message": {"username": ["can contain only letters, digits, '_', '-' and '.'"]}})
    if not password and not call.boolean("force_random_password") and not call.boolean("reset_password"):
        raise wrong_parameter(
            "password, reset_password, force_random_password are missing, at least one parameter must be provided"
        )
    _check_password(password)
    if not EMAIL.fullmatch(email):
        raise Refusal(400, {"message": {"email": ["is invalid"]}})
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
    if "email" in values:
        known = call.instance.accounts.by_name(values["email"])
        if not EMAIL.fullmatch(values["email"]):
            raise Refusal(400, {"message": {"email": ["is invalid"]}})
        if known is not None and known.id != row.id:
            raise refusal(409, "Email has already been taken")
    _check_password(call.text("password"))
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


async def deactivate(call: Call) -> Response:
    return _state(call, "deactivated")


async def delete(call: Call) -> Response:
    """Only somebody who owns nothing is removed; with `hard_delete`, the projects go as well."""
    caller, row = call.administrator(), _wanted(call)
    if row.id == caller.user_id:
        raise refusal(403)
    home = sa.select(t.namespaces.c.id).where(t.namespaces.c.owner_id == row.id, t.namespaces.c.kind == "user")
    projects = call.instance.database.all(sa.select(t.projects).where(t.projects.c.namespace_id.in_(home)))
    if projects and not call.boolean("hard_delete"):
        raise refusal(409, "User owns projects. Give hard_delete=true to delete them as well")
    for project in projects:
        call.instance.delete_project(project)
    call.instance.accounts.delete(row.id)
    call.audit("delete user", row.username)
    return Response(status_code=204)


def _state(call: Call, state: str) -> Response:
    caller, row = call.administrator(), _wanted(call)
    if row.id == caller.user_id:
        raise refusal(403)
    call.instance.database.execute(sa.update(t.users).where(t.users.c.id == row.id).values(state=state))
    call.audit(f"user is {state}", row.username)
    return call.json(True, 201)


def _check_password(password: str) -> None:
    if password and len(password) < SHORTEST_PASSWORD:
        text = f"is too short (minimum is {SHORTEST_PASSWORD} characters)"
        raise Refusal(400, {"message": {"password": [text]}})
    if len(password) > LONGEST_PASSWORD:
        text = f"is too long (maximum is {LONGEST_PASSWORD} characters)"
        raise Refusal(400, {"message": {"password": [text]}})


async def _set_password(call: Call, user_id: int, password: str) -> None:
    hashed = await asyncio.to_thread(hash_password, password)
    call.instance.accounts.set_password(user_id, hashed)


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
        "bot": call.instance.accounts.is_bot(row),
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


_ONE = "/users/{user}"
_LISTED = (
    f"username search active:bool blocked:bool admins:bool external:bool order_by:id|name|username|created_at "
    f"sort:asc|desc pagination:keyset|legacy cursor {PAGE}"
)
_CHANGED = "password admin:bool"
ENDPOINTS = [
    Endpoint("GET", "/user", current, gives="User"),
    Endpoint("GET", "/users", list_users, takes=_LISTED, gives="[UserBasic]"),
    Endpoint(
        "POST",
        "/users",
        create,
        takes=f"email! name! username! force_random_password:bool reset_password:bool {_CHANGED}",
        gives="User",
    ),
    Endpoint("GET", _ONE, show, gives="UserBasic"),
    Endpoint("PUT", _ONE, change, takes=f"email name {_CHANGED}", gives="User"),
    Endpoint("DELETE", _ONE, delete, takes="hard_delete:bool", gives="-"),
    Endpoint("POST", _ONE + "/block", block, gives="any"),
    Endpoint("POST", _ONE + "/unblock", unblock, gives="any"),
    Endpoint("POST", _ONE + "/deactivate", deactivate, gives="any"),
    Endpoint("POST", _ONE + "/activate", unblock, gives="any"),
]
