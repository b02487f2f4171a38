"""Deploy tokens: what a machine reads a project's code or images with. They stand for nobody, and the API does not
know them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from shipline.server import tables as t
from shipline.server.accounts import is_active
from shipline.server.database import Database
from shipline.server.permissions import Caller
from shipline.server.vault import digest

PREFIX = "gldt-"
SCOPES = ("read_repository", "read_registry", "write_registry")
USERNAME = "gitlab+deploy-token-{}"


class DeployTokens:
    """The deploy tokens of all projects."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(
        self, project_id: int, name: str, username: str, scopes: Collection[str], expires_at: str | None
    ) -> tuple[Any, str]:
        """A new token's row, and the token, which is shown this once."""
        token = PREFIX + secrets.token_urlsafe(20)
        with self.database.transaction():
            number = self.database.insert(
                t.deploy_tokens,
                project_id=project_id,
                name=name,
                username=username,
                scopes=" ".join(scopes),
                digest=digest(token),
                created_at=time.time(),
                expires_at=expires_at,
                revoked=False,
            )
            if not username:
                named = sa.update(t.deploy_tokens).where(t.deploy_tokens.c.id == number)
                self.database.execute(named.values(username=USERNAME.format(number)))
        return self.by_id(number), token

    def by_id(self, number: int) -> Any | None:
        return self.database.one(sa.select(t.deploy_tokens).where(t.deploy_tokens.c.id == number))

    def caller(self, username: str, token: str) -> Caller | None:
        """Whom a token stands for: a machine that may do what its scopes say, in one project."""
        found = self.database.one(sa.select(t.deploy_tokens).where(t.deploy_tokens.c.digest == digest(token)))
        if found is None or found.username != username or not is_active(found):
            return None
        scopes = frozenset(found.scopes.split())
        return Caller(0, found.username, found.name, "", scopes=scopes, project_id=found.project_id, machine=True)
