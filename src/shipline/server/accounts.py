"""People and their tokens. Passwords are kept as argon2 hashes, tokens as digests."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa

from shipline.server import tables as t
from shipline.server.database import Database
from shipline.server.permissions import Caller
from shipline.server.vault import digest

FIRST_USER = "root"
TOKEN_PREFIX = "glpat-"
TOKEN_BYTES = 15
"""Twenty characters, as GitLab's tokens have; glab doubts others."""
USE_NOTED_EVERY = 60.0
"""Seconds between two notes of when a token was used last."""


class Accounts:
    """The users of this instance."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(self, username: str, password: str | None, *, name: str = "", email: str = "", admin: bool) -> int:
        """Adds a user with a namespace of the same name; gives the id. The password is hashed here (50 ms)."""
        now = time.time()
        with self.database.transaction():
            number = self.database.insert(
                t.users,
                username=username,
                name=name or username,
                email=email or f"{username}@localhost",
                password=hash_password(password) if password else None,
                admin=admin,
                state="active",
                created_at=now,
            )
            self.database.insert(
                t.namespaces, path=username, name=name or username, kind="user", owner_id=number, created_at=now
            )
        return number

    def create_bot(self, name: str, kind: str, number: int) -> int:
        """Who a token of a project or a group (`kind`) acts as: without password and namespace; gives the id."""
        username = f"{kind}_{number}_bot_{secrets.token_hex(16)}"
        return self.database.insert(
            t.users,
            username=username,
            name=name,
            email=f"{username}@noreply.localhost",
            password=None,
            admin=False,
            state="active",
            created_at=time.time(),
            **{f"bot_of_{kind}": number},
        )

    def is_bot(self, user: Any) -> bool:
        """Whether it is nobody's but an access token's."""
        return user is not None and (user.bot_of_project is not None or user.bot_of_group is not None)

    def first_password(self) -> str | None:
        """Makes the first user, an administrator, when there is no user yet; gives the password, once."""
        if self.database.one(sa.select(t.users.c.id).limit(1)):
            return None
        password = secrets.token_urlsafe(12)
        self.create(FIRST_USER, password, name="Administrator", admin=True)
        return password

    def user(self, user_id: int) -> Any | None:
        return self.database.one(sa.select(t.users).where(t.users.c.id == user_id))

    def by_name(self, username: str) -> Any | None:
        """A user by the name or the e-mail address, without regard to case."""
        wanted = username.lower()
        known = (sa.func.lower(t.users.c.username) == wanted) | (sa.func.lower(t.users.c.email) == wanted)
        return self.database.one(sa.select(t.users).where(known))

    def set_password(self, user_id: int, hashed: str) -> None:
        """Gives a user another password, by its hash; whoever signed in with the old one is signed out."""
        with self.database.transaction():
            changed = sa.update(t.users).where(t.users.c.id == user_id)
            self.database.execute(changed.values(password=hashed))
            self.database.execute(sa.delete(t.sessions).where(t.sessions.c.user_id == user_id))

    def create_token(
        self, user_id: int, name: str, scopes: Collection[str], expires_at: str | None = None, description: str = ""
    ) -> tuple[int, str]:
        """A new personal access token: its id, and the token, which is shown this once."""
        token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        number = self.database.insert(
            t.tokens,
            user_id=user_id,
            name=name,
            description=description or None,
            scopes=" ".join(scopes),
            digest=digest(token),
            created_at=time.time(),
            expires_at=expires_at,
            revoked=False,
        )
        return number, token

    def delete(self, user_id: int) -> None:
        """Removes a user, the namespace, the tokens and all memberships. What they did stays in their name."""
        with self.database.transaction():
            for table in (t.tokens, t.sessions, t.members, t.group_members):
                self.database.execute(sa.delete(table).where(table.c.user_id == user_id))
            own = (t.namespaces.c.owner_id == user_id) & (t.namespaces.c.kind == "user")
            self.database.execute(sa.delete(t.namespaces).where(own))
            self.database.execute(sa.delete(t.schedules).where(t.schedules.c.owner_id == user_id))
            self.database.execute(sa.delete(t.triggers).where(t.triggers.c.owner_id == user_id))
            self.database.execute(sa.delete(t.users).where(t.users.c.id == user_id))

    def by_token(self, token: str) -> Caller | None:
        """Who a personal access token stands for; None when it is unknown, revoked or expired, or its user is
        blocked."""
        query = sa.select(t.tokens, t.users.c.username).join(t.users, t.users.c.id == t.tokens.c.user_id)
        found = self.database.one(query.where(t.tokens.c.digest == digest(token), t.users.c.state == "active"))
        if found is None or not is_active(found):
            return None
        now = time.time()
        if now - (found.last_used_at or 0) > USE_NOTED_EVERY:
            used = sa.update(t.tokens).where(t.tokens.c.id == found.id)
            self.database.execute(used.values(last_used_at=now))
        return caller_of(self.user(found.user_id), frozenset(found.scopes.split()), found.id)


def is_active(token: Any) -> bool:
    """Whether a token still works."""
    today = datetime.now(UTC).date()
    return not token.revoked and (token.expires_at is None or date.fromisoformat(token.expires_at) > today)


def caller_of(user: Any, scopes: frozenset[str] | None = None, token_id: int | None = None) -> Caller:
    """A user as somebody who asks."""
    return Caller(user.id, user.username, user.name, user.email, user.admin, scopes, token_id)


def hash_password(password: str) -> str:
    """Slow on purpose: about 50 ms."""
    from argon2 import PasswordHasher

    return PasswordHasher().hash(password)


def password_fits(hashed: str | None, password: str) -> bool:
    """Slow on purpose: call it in a thread."""
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return hashed is not None and PasswordHasher().verify(hashed, password)
    except (Argon2Error, InvalidHashError):
        return False
