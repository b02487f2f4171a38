"""Signing in and out, and one's own tokens."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from functools import cache

from starlette.responses import Response

from shipline.server.accounts import hash_password, password_fits
from shipline.server.api import tokens as api
from shipline.server.git.visitors import PASSWORDS_A_MINUTE
from shipline.server.http.answers import Refusal, refusal
from shipline.server.http.call import Call
from shipline.server.permissions import SCOPES
from shipline.server.web import sessions
from shipline.server.web.page import SIGN_IN, Page

DAYS = 365


async def sign_in_form(page: Page) -> Response:
    if page.caller is not None:
        return page.go("/")
    return page.show("sign_in.html", to=_local(page.request.query_params.get("to", "/")), wrong=False)


async def sign_in(page: Page) -> Response:
    """POST /users/sign_in. A name that is not there takes as long as a wrong password."""
    call = Call(page.instance, page.request)
    call.limit("password", call.address or "", PASSWORDS_A_MINUTE)
    user = page.instance.accounts.by_name(page.values.get("login", ""))
    hashed = user.password if user is not None and user.password else await asyncio.to_thread(_nobodys)
    fits = await asyncio.to_thread(password_fits, hashed, page.values.get("password", ""))
    to = _local(page.values.get("to", "/"))
    if user is None or not fits or user.state != "active":
        return page.show("sign_in.html", 401, to=to, wrong=True)
    response = page.go(to)
    sessions.begin(page.instance, user.id, response)
    page.instance.audit("sign in", user.username, user.id, call.address)
    return response


async def sign_out(page: Page) -> Response:
    response = page.go(SIGN_IN)
    sessions.end(page.instance, page.request, response)
    return response


async def tokens(page: Page) -> Response:
    if page.caller is None:
        raise refusal(401)
    return await _tokens(page, "")


async def new_token(page: Page) -> Response:
    """Makes a token, which is shown this once."""
    if page.caller is None:
        raise refusal(401)
    scopes = [scope for scope in SCOPES if page.values.get(f"scope-{scope}")]
    name = page.values.get("name", "").strip()
    if not scopes or not name:
        raise Refusal(400, {"message": "A token needs a name and at least one scope."})
    expires = (datetime.now(UTC) + timedelta(days=DAYS)).date().isoformat()
    made = page.instance.accounts.create_token(page.caller.user_id, name, scopes, expires)[1]
    page.instance.audit("create token", name, page.caller.user_id)
    return await _tokens(page, made)


async def revoke_token(page: Page) -> Response:
    await page.ask(api.revoke, token=page.path["token_id"])
    return page.go("/-/user_settings/personal_access_tokens")


async def _tokens(page: Page, made: str) -> Response:
    assert page.caller is not None
    found = await page.ask(api.list_tokens, {"user_id": page.caller.user_id, "per_page": 100})
    active = [token for token in found if token["active"]]
    return page.show("tokens.html", tokens=active, made=made, scopes=SCOPES)


@cache
def _nobodys() -> str:
    """The hash of a password that nobody knows."""
    return hash_password(secrets.token_urlsafe())


def _local(address: str) -> str:
    """An address of this server, whatever somebody wrote into a link."""
    return address if address.startswith("/") and not address.startswith(("//", "/\\")) else "/"
