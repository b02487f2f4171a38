"""Runners and their managers: who may ask for jobs, and what each of them may run."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from shipline.server import tables as t
from shipline.server.database import Database
from shipline.server.prepared import Prepared
from shipline.server.vault import Vault, digest

CREATED_PREFIX = "glrt-"
REGISTRATION_PREFIX = "GR1348941"
NOTED_EVERY = 40.0
"""Seconds between two notes of a contact."""
ONLINE_FOR = 2 * 3600.0
LEGACY_MANAGER = "<legacy>"
INSTANCE, GROUP, PROJECT = "instance_type", "group_type", "project_type"

_by_digest = Prepared(sa.select(t.runners).where(t.runners.c.digest == sa.bindparam("digest")))
_manager = Prepared(
    sa.select(t.managers).where(
        t.managers.c.runner_id == sa.bindparam("runner"), t.managers.c.system_id == sa.bindparam("system")
    )
)


class Info(msgspec.Struct, frozen=True):
    """What a runner tells of itself (`info`)."""

    name: str | None = None
    version: str | None = None
    revision: str | None = None
    platform: str | None = None
    architecture: str | None = None
    executor: str | None = None
    features: dict[str, Any] = {}


class Runners:
    """The runners of this instance. `changed` is called when what a runner may run has changed."""

    def __init__(self, database: Database, vault: Vault, changed: Callable[[], None]) -> None:
        self.database = database
        self.vault = vault
        self.changed = changed

    def create(
        self,
        *,
        kind: str = INSTANCE,
        projects: Iterable[int] = (),
        group: int | None = None,
        tags: Iterable[str] = (),
        run_untagged: bool = True,
        description: str | None = None,
        maintenance_note: str | None = None,
        paused: bool = False,
        locked: bool = False,
        access_level: str = "not_protected",
        maximum_timeout: int | None = None,
        creator_id: int | None = None,
        prefix: str = "",
    ) -> tuple[int, str]:
        """A new runner: its id, and its token, which is shown this once."""
        token = prefix + secrets.token_urlsafe(20)
        with self.database.transaction():
            number = self.database.insert(
                t.runners,
                digest=digest(token),
                short=token.removeprefix(prefix)[:9],
                kind=kind,
                description=description,
                maintenance_note=maintenance_note,
                paused=paused,
                locked=locked,
                run_untagged=run_untagged,
                access_level=access_level,
                maximum_timeout=maximum_timeout,
                tags=json.dumps(sorted(set(tags))),
                creator_id=creator_id,
                created_at=time.time(),
            )
            if group is not None:
                self.database.execute(sa.insert(t.runner_groups).values(runner_id=number, namespace_id=group))
            for project in projects:
                self.database.execute(sa.insert(t.runner_projects).values(runner_id=number, project_id=project))
        return number, token

    def by_token(self, token: str) -> Any | None:
        return self.database.first(_by_digest, digest=digest(token))

    def by_id(self, runner_id: int) -> Any | None:
        return self.database.one(sa.select(t.runners).where(t.runners.c.id == runner_id))

    def update(self, runner_id: int, **values: Any) -> None:
        with self.database.transaction():
            self.database.execute(sa.update(t.runners).where(t.runners.c.id == runner_id).values(**values))
            self.changed()

    def renew(self, runner_id: int) -> str:
        """A new token in the place of the old one."""
        token = CREATED_PREFIX + secrets.token_urlsafe(20)
        short = token.removeprefix(CREATED_PREFIX)[:9]
        self.update(runner_id, digest=digest(token), short=short)
        return token

    def delete(self, runner_id: int) -> None:
        with self.database.transaction():
            for table in (t.managers, t.runner_projects, t.runner_groups):
                self.database.execute(sa.delete(table).where(table.c.runner_id == runner_id))
            self.database.execute(sa.delete(t.runners).where(t.runners.c.id == runner_id))

    def projects(self, runner_id: int) -> list[int]:
        """The projects that a project runner serves."""
        query = sa.select(t.runner_projects.c.project_id).where(t.runner_projects.c.runner_id == runner_id)
        return [row[0] for row in self.database.all(query.order_by(t.runner_projects.c.project_id))]

    def groups(self, runner_id: int) -> list[int]:
        """The groups that a group runner serves."""
        query = sa.select(t.runner_groups.c.namespace_id).where(t.runner_groups.c.runner_id == runner_id)
        return [row[0] for row in self.database.all(query)]

    def managers(self, runner_id: int) -> list[Any]:
        query = sa.select(t.managers).where(t.managers.c.runner_id == runner_id)
        return list(self.database.all(query.order_by(t.managers.c.contacted_at.desc())))

    def heard_of(self, runner: Any, system_id: str | None, info: Info | None, address: str | None) -> Any:
        """Notes that a runner has called; gives its manager."""
        system_id = system_id or LEGACY_MANAGER
        now = time.time()
        manager = self.database.first(_manager, runner=runner.id, system=system_id)
        told = {"address": address, **(_details(info) if info else {})}
        if manager is None:
            empty = {"features": "{}"} | told
            values = {"runner_id": runner.id, "system_id": system_id, "created_at": now, "contacted_at": now}
            with self.database.transaction():
                self.database.insert(t.managers, **values | empty)
        elif now - manager.contacted_at > NOTED_EVERY or any(getattr(manager, k) != v for k, v in told.items()):
            known = sa.update(t.managers).where(t.managers.c.id == manager.id)
            self.database.execute(known.values(contacted_at=now, **told))
            manager = None
        if now - (runner.contacted_at or 0) > NOTED_EVERY:
            seen = sa.update(t.runners).where(t.runners.c.id == runner.id)
            self.database.execute(seen.values(contacted_at=now))
        return manager or self.database.first(_manager, runner=runner.id, system=system_id)

    def forget_manager(self, runner_id: int, system_id: str) -> bool:
        """Whether there was one."""
        known = (t.managers.c.runner_id == runner_id) & (t.managers.c.system_id == system_id)
        return bool(self.database.execute(sa.delete(t.managers).where(known)).rowcount)

    def registration_token(self) -> str:
        """The token with which runners of the whole instance register themselves; made when first asked for."""
        found = self.database.one(sa.select(t.kept.c.value).where(t.kept.c.name == "registration token"))
        if found:
            return self.vault.unseal(found[0], "registration token")
        return self.renew_registration_token()

    def renew_registration_token(self) -> str:
        token = REGISTRATION_PREFIX + secrets.token_urlsafe(15)
        sealed = self.vault.seal(token, "registration token")
        with self.database.transaction():
            self.database.execute(sa.delete(t.kept).where(t.kept.c.name == "registration token"))
            self.database.execute(sa.insert(t.kept).values(name="registration token", value=sealed))
        return token


def tags_of(runner: Any) -> list[str]:
    return list(json.loads(runner.tags))


def status_of(runner: Any) -> str:
    """`online`, `offline` or `never_contacted`."""
    if runner.contacted_at is None:
        return "never_contacted"
    return "online" if time.time() - runner.contacted_at < ONLINE_FOR else "offline"


def _details(info: Info) -> dict[str, Any]:
    fields = ("version", "revision", "platform", "architecture", "executor")
    features = json.dumps({key: True for key, value in sorted(info.features.items()) if value})
    return {field: getattr(info, field) for field in fields} | {"features": features}
