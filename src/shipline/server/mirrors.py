"""Projects whose repository lives elsewhere: what has changed there is fetched, and makes pipelines as a push does.

A webhook of the other side says when; otherwise it is looked at every now and then. Pipelines run in the name of
whoever set the mirror up. A merge request there, of which a webhook tells, has one here, so that it gets pipelines.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import sqlalchemy as sa

from shipline.engine.errors import EngineError
from shipline.engine.remote import Remote
from shipline.server import tables as t
from shipline.server.accounts import caller_of
from shipline.server.git.pushes import Change, pushed
from shipline.server.instance import Instance, Update
from shipline.server.merge_pipelines import pipeline_lines
from shipline.server.merge_requests import Facts, Refused
from shipline.server.mirrored_requests import Told

SCHEMES = ("http", "https")
LONGEST_MESSAGE = 500


def mirror_of(instance: Instance, project_id: int) -> Any | None:
    """The project's mirror; None when its repository is its own."""
    return instance.database.one(sa.select(t.mirrors).where(t.mirrors.c.project_id == project_id))


def set_mirror(instance: Instance, project_id: int, user_id: int, url: str, enabled: bool) -> None:
    """Makes the project a mirror of `url`, which may carry user and password: they are encrypted."""
    sealed = instance.vault.seal(url, _place(project_id))
    values = {"user_id": user_id, "url": sealed, "enabled": enabled, "status": "none"}
    with instance.database.transaction():
        instance.database.execute(sa.delete(t.mirrors).where(t.mirrors.c.project_id == project_id))
        instance.database.execute(sa.insert(t.mirrors).values(project_id=project_id, **values))


def url_of(instance: Instance, mirror: Any) -> str:
    """The address, with its secrets."""
    return instance.vault.unseal(bytes(mirror.url), _place(mirror.project_id))


def update(instance: Instance, project_id: int) -> None:
    """Starts an update. One of a project runs at a time: who asks meanwhile gets another one afterwards."""
    running = instance.mirror_updates
    if project_id in running:
        running[project_id].again = True
        return
    running[project_id] = Update(asyncio.create_task(_update(instance, project_id)))
    running[project_id].task.add_done_callback(lambda _: _ended(instance, project_id))


def update_with(instance: Instance, project_id: int, told: Told | None) -> None:
    """Starts an update; what was told of a merge request follows when the branches are there."""
    if told is not None:
        instance.mirrored_requests.setdefault(project_id, []).append(told)
    update(instance, project_id)


def _ended(instance: Instance, project_id: int) -> None:
    if instance.mirror_updates.pop(project_id).again:
        update(instance, project_id)


def update_due(instance: Instance) -> None:
    """Starts the updates of mirrors that have not been looked at for long. Of several server processes, the one
    that moves the time on does it."""
    now = time.time()
    due = t.mirrors.c.enabled & (
        sa.func.coalesce(t.mirrors.c.started_at, 0.0) < now - instance.settings.mirror_every
    )
    for row in instance.database.all(sa.select(t.mirrors.c.project_id).where(due)):
        mine = sa.update(t.mirrors).where(t.mirrors.c.project_id == row.project_id, due)
        if (
            row.project_id not in instance.mirror_updates
            and instance.database.execute(mine.values(started_at=now)).rowcount
        ):
            update(instance, row.project_id)


async def _update(instance: Instance, project_id: int) -> None:
    mirror, project = mirror_of(instance, project_id), instance.projects.by_id(project_id)
    if mirror is None or project is None:
        return
    url, path = url_of(instance, mirror), Path(project.path)
    waiting = instance.mirrored_requests.pop(project_id, [])
    _note(instance, project_id, status="started", started_at=time.time())
    try:
        found = await asyncio.to_thread(Remote(url).fetch, path)
        changes = [Change(*change) for change in found]
        if mirror.succeeded_at is None:
            changes = await _at_first(instance, project, url, changes)
        wrong = await _pipelines(instance, project_id, mirror.user_id, changes)
        wrong = await _requests(instance, project_id, mirror.user_id, waiting) or wrong
    except EngineError as error:
        text = str(error).replace(url, shown(url))[:LONGEST_MESSAGE]
        _note(instance, project_id, status="failed", error=text, updated_at=time.time())
        return
    now = time.time()
    _note(instance, project_id, status="finished", error=wrong, updated_at=now, succeeded_at=now)


async def _at_first(instance: Instance, project: Any, url: str, changes: list[Change]) -> list[Change]:
    """A project that is a mirror from now on has the other side's default branch; only that gets a pipeline."""
    head = await asyncio.to_thread(Remote(url).head, Path(project.path))
    if head:
        instance.projects.set_default_branch(project, head)
    return [change for change in changes if change.kind == "branch" and change.name == head]


async def _pipelines(instance: Instance, project_id: int, user_id: int, changes: list[Change]) -> str | None:
    """Makes the pipelines; gives what is wrong with those that could not be made."""
    user = instance.accounts.user(user_id)
    if not changes or user is None or user.state != "active":
        return None
    lines = await pushed(instance, instance.projects.by_id(project_id), caller_of(user), changes, [])
    text = "\n".join(lines)
    return text[:LONGEST_MESSAGE] if "could not be created" in text else None


async def _requests(instance: Instance, project_id: int, user_id: int, waiting: list[Told]) -> str | None:
    """Follows what was told of merge requests before the branches were fetched; gives what is wrong."""
    wrong = [
        text
        for told in waiting
        if (text := await _follow(instance, instance.projects.by_id(project_id), user_id, told)) is not None
    ]
    return "\n".join(wrong)[:LONGEST_MESSAGE] or None


async def _follow(instance: Instance, project: Any, user_id: int, told: Told) -> str | None:
    """Brings the mirror's own merge request between two branches to what it is there; gives what is wrong."""
    requests, user = instance.merge_requests, instance.accounts.user(user_id)
    if user is None or user.state != "active":
        return None
    known = [row for row in requests.of_source(project.id, told.source) if row.target_branch == told.target]
    for row in known:
        if told.state == "closed":
            requests.close(row, user_id)
        elif told.state == "merged":
            requests.merged(row, user_id)
        else:
            requests.change(row, {"description": told.description, "labels": told.labels}, title=told.title)
    if known or told.state != "opened":
        return None
    facts = Facts(description=told.description, labels=told.labels)
    try:
        row = requests.create(project, user_id, told.source, told.target, told.title, facts)
    except Refused as refused:
        return f"No merge request for {told.source}: {refused}"
    lines = await pipeline_lines(instance, project, caller_of(user), row)
    return "\n".join(lines) if "could not be created" in "\n".join(lines) else None


def _note(instance: Instance, project_id: int, **values: Any) -> None:
    instance.database.execute(sa.update(t.mirrors).where(t.mirrors.c.project_id == project_id).values(**values))


def acceptable(url: str) -> str | None:
    """Why the address cannot be mirrored; None when it can."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname:
        return f"must be an address that begins with {' or '.join(f'{scheme}://' for scheme in SCHEMES)}"
    return None


def shown(url: str) -> str:
    """The address as others may see it: without password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"*****:*****@{host}" if "@" in parts.netloc else host))


def _place(project_id: int) -> str:
    return f"mirror of project {project_id}"
