"""Who is signed in: a session is a random token in a cookie, of which the database keeps a digest.

What changes something must come from a page of ours: its form carries a token that only such a page can have been
given (made of the session's own by HMAC), and a browser that tells another origin is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from shipline.server import tables as t
from shipline.server.accounts import caller_of
from shipline.server.instance import Instance
from shipline.server.permissions import Caller
from shipline.server.vault import digest

COOKIE = "_shipline_session"
LASTS = 14 * 24 * 3600
"""Seconds."""
FIELD = "authenticity_token"


def begin(instance: Instance, user_id: int, response: Response) -> None:
    """Signs a user in: the browser gets a new session."""
    token, now = secrets.token_urlsafe(32), time.time()
    with instance.database.transaction():
        instance.database.execute(sa.delete(t.sessions).where(t.sessions.c.expires_at < now))
        values = {"digest": digest(token), "user_id": user_id, "created_at": now, "expires_at": now + LASTS}
        instance.database.execute(sa.insert(t.sessions).values(**values))
    secure = instance.settings.url.startswith("https:")
    response.set_cookie(COOKIE, token, max_age=LASTS, secure=secure, httponly=True, samesite="lax")


def end(instance: Instance, request: Request, response: Response) -> None:
    """Signs the browser's user out."""
    if token := request.cookies.get(COOKIE):
        instance.database.execute(sa.delete(t.sessions).where(t.sessions.c.digest == digest(token)))
    response.delete_cookie(COOKIE)


def caller(instance: Instance, request: Request) -> Caller | None:
    """Who is signed in with this browser; None when nobody is."""
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    known = (t.sessions.c.digest == digest(token)) & (t.sessions.c.expires_at > time.time())
    found = instance.database.one(sa.select(t.sessions.c.user_id).where(known))
    user = instance.accounts.user(found.user_id) if found else None
    return caller_of(user) if user is not None and user.state == "active" else None


def form_token(request: Request) -> str:
    """What forms of this session carry. Before signing in it is made of nothing that is secret, and protects
    nothing."""
    session = request.cookies.get(COOKIE, "")
    return hmac.new(session.encode(), b"forms", hashlib.sha256).hexdigest()


def is_ours(instance: Instance, request: Request, given: str) -> bool:
    """Whether a form was sent from one of our pages."""
    origin = request.headers.get("origin")
    if origin is not None and origin not in (instance.settings.url, _host(request)):
        return False
    return hmac.compare_digest(given.encode(), form_token(request).encode())


def _host(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers.get('host', '')}"
