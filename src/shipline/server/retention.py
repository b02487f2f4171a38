"""What a server lets go of: pipelines and logs past the time for which they are kept, and files that nobody knows.

A little at a time, between other work: a round removes at most `AT_ONCE` of each kind, and the next one goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from shipline.engine.states import COMPLETED
from shipline.server import tables as t
from shipline.server.instance import Instance
from shipline.server.project_settings import settings_of

EVERY = 600.0
"""Seconds between two rounds."""
AT_ONCE = 200
YOUNG = 86400.0
"""Seconds for which a file that nobody knows is left alone: it may belong to what is being written."""
SWEPT = "logs are erased up to"


async def clean(instance: Instance, now: float | None = None) -> None:
    """One round."""
    now = now or time.time()
    for project in instance.database.all(sa.select(t.projects).where(t.projects.c.full_path.is_not(None))):
        await _pipelines(instance, project, now)
    await _logs(instance, now)
    for folder, table in ((instance.traces.home, t.jobs), (instance.artifacts.home, t.jobs)):
        await _unknown_files(instance, folder, table, now)
    await _unknown_repositories(instance, now)
    await _unknown_uploads(instance, now)
    await instance.depot.sweep(lambda numbers: _known(instance, t.jobs, numbers), now)


async def _pipelines(instance: Instance, project: Any, now: float) -> None:
    """Removes the project's pipelines that ended longer ago than it keeps them, or else the server does."""
    after = settings_of(project).delete_pipelines_after or instance.settings.keep_pipelines
    if not after:
        return
    old = (
        sa.select(t.pipelines.c.id)
        .where(t.pipelines.c.project_id == project.id, t.pipelines.c.updated_at < now - after)
        .where(t.pipelines.c.status.in_(sorted(COMPLETED)))
        .order_by(t.pipelines.c.updated_at)
        .limit(AT_ONCE)
    )
    for row in instance.database.all(old):
        instance.delete_pipeline(row[0])
        await asyncio.sleep(0)


async def _logs(instance: Instance, now: float) -> None:
    """Erases the logs of pipelines that ended longer ago than logs are kept."""
    if not instance.settings.keep_logs:
        return
    known = instance.database.one(sa.select(t.kept.c.value).where(t.kept.c.name == SWEPT))
    since = float(bytes(known[0]).decode()) if known else 0.0
    projects = sa.select(t.projects.c.id)
    old = (
        sa.select(t.pipelines.c.id, t.pipelines.c.updated_at)
        .where(
            t.pipelines.c.project_id.in_(projects),
            t.pipelines.c.updated_at > since,
            t.pipelines.c.updated_at < now - instance.settings.keep_logs,
        )
        .where(t.pipelines.c.status.in_(sorted(COMPLETED)))
        .order_by(t.pipelines.c.updated_at)
        .limit(AT_ONCE)
    )
    for row in instance.database.all(old):
        for job in instance.store.jobs(row.id, all_tries=True):
            instance.traces.erase(job.id)
        since = row.updated_at
        await asyncio.sleep(0)
    with instance.database.transaction():
        instance.database.execute(sa.delete(t.kept).where(t.kept.c.name == SWEPT))
        instance.database.execute(sa.insert(t.kept).values(name=SWEPT, value=str(since).encode()))


async def _unknown_files(instance: Instance, home: Path, table: sa.Table, now: float) -> None:
    """Removes what stands under the number of a job that is not there: a server was killed while it removed it."""
    for group in await asyncio.to_thread(lambda: sorted(home.glob("[0-9]*"))):
        found = await asyncio.to_thread(_old_numbers, group, now)
        for number in set(found) - _known(instance, table, found):
            await asyncio.to_thread(_remove, group / str(number))


async def _unknown_repositories(instance: Instance, now: float) -> None:
    home = instance.projects.home
    found = await asyncio.to_thread(_old_numbers, home, now, ".git")
    for number in set(found) - _known(instance, t.projects, found):
        await asyncio.to_thread(_remove, home / f"{number}.git")


async def _unknown_uploads(instance: Instance, now: float) -> None:
    """Removes what was written and never noted: a server was killed in between."""
    for folder in await asyncio.to_thread(lambda: sorted(instance.uploads.home.glob("[0-9]*"))):
        old = await asyncio.to_thread(_old_files, folder, now)
        for start in range(0, len(old), AT_ONCE):
            some = list(old)[start : start + AT_ONCE]
            rows = instance.database.all(sa.select(t.uploads.c.secret).where(t.uploads.c.secret.in_(some)))
            for secret in set(some) - {row[0] for row in rows}:
                await asyncio.to_thread(_remove, old[secret])


def _old_files(folder: Path, now: float) -> dict[str, Path]:
    """The files here that are not young, by their names without ending."""
    found: dict[str, Path] = {}
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if now - path.stat().st_mtime > YOUNG:
                found[path.stem] = path
    return found


def _known(instance: Instance, table: sa.Table, numbers: Collection[int]) -> set[int]:
    rows = instance.database.all(sa.select(table.c.id).where(table.c.id.in_(list(numbers))))
    return {row[0] for row in rows}


def _old_numbers(folder: Path, now: float, ending: str = "") -> list[int]:
    """The numbers that files and folders here are named by, but for young ones."""
    found = []
    for path in folder.glob(f"*{ending}"):
        name = path.name.removesuffix(ending)
        try:
            if name.isdigit() and now - path.stat().st_mtime > YOUNG:
                found.append(int(name))
        except FileNotFoundError:
            continue
    return found


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
