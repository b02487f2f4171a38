"""The files that jobs leave: `artifacts/<id // 1000>/<id>/<type>`, one of a type and job, with a row each.

What has expired is not given any more and soon removed, but for the newest successful pipeline of a ref and those
since, where the project keeps its latest.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, NamedTuple

import sqlalchemy as sa

from shipline.engine.dependencies import Archive
from shipline.server import tables as t
from shipline.server.database import Database
from shipline.server.depot import Depot
from shipline.server.project_settings import settings_of

BLOCK = 1 << 20
ARCHIVE = "archive"


class Received(NamedTuple):
    """A file that has come in and has no place yet."""

    path: Path
    size: int
    sha256: str


class Artifacts:
    """Files below one folder. Implements `shipline.engine.dependencies.Shelf`."""

    def __init__(self, database: Database, home: Path, depot: Depot) -> None:
        self.database = database
        self.home = home
        self._depot = depot

    def folder(self, job_id: int) -> Path:
        return self.home / str(job_id // 1000) / str(job_id)

    def path(self, artifact: Any) -> Path:
        return self.folder(artifact.job_id) / str(artifact.file_type)

    async def file(self, artifact: Any) -> Path | None:
        """The file, on this disk; None when it is nowhere. Raises ObjectsError."""
        return await self._depot.bring(self.path(artifact))

    async def address(self, artifact: Any, good_for: timedelta) -> str | None:
        """Where the file can be fetched from the bucket without a key; None where it is on this disk, or where no
        such address is made. Raises ObjectsError."""
        return await self._depot.address(self.path(artifact), good_for)

    def file_now(self, artifact: Any) -> Path | None:
        """As `file`, for those who cannot wait."""
        return self._depot.brought(self.path(artifact))

    @contextlib.contextmanager
    def received(self, job_id: int, source: IO[bytes]) -> Iterator[Received]:
        """Writes a file, durably; it is gone afterwards unless `place` was called. Blocks: for a thread."""
        folder = self.folder(job_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        hashed, size = hashlib.sha256(), 0
        part = folder / f".part-{os.urandom(4).hex()}"
        try:
            with part.open("wb") as file:
                while block := source.read(BLOCK):
                    hashed.update(block)
                    size += len(block)
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            yield Received(part, size, hashed.hexdigest())
        finally:
            part.unlink(missing_ok=True)

    def place(self, received: Received, file_type: str) -> None:
        """Gives a file its place."""
        received.path.rename(received.path.parent / file_type)

    def add(self, job_id: int, file_type: str, **values: Any) -> None:
        """Notes a file that has its place."""
        with self.database.transaction():
            self.database.execute(self._doomed(job_id, file_type))
            self.database.insert(t.artifacts, job_id=job_id, file_type=file_type, created_at=time.time(), **values)

    def of(self, job_id: int) -> list[Any]:
        """What there is of a job and has not expired."""
        query = sa.select(t.artifacts).where(t.artifacts.c.job_id == job_id).order_by(t.artifacts.c.id)
        rows = list(self.database.all(query))
        now = time.time()
        if any(row.expire_at is not None and row.expire_at <= now for row in rows):
            lost = {row.id for row in self._expired(now, t.artifacts.c.job_id == job_id)}
            rows = [row for row in rows if row.id not in lost]
        return rows

    def one(self, job_id: int, file_type: str) -> Any | None:
        """One of a job's files, where it is there."""
        found = next((artifact for artifact in self.of(job_id) if artifact.file_type == file_type), None)
        if found is None or self._depot.bucket is not None:
            return found
        return found if self.path(found).exists() else None

    def archive(self, job_id: int) -> Any | None:
        """The job's archive, where its file is there."""
        return self.one(job_id, ARCHIVE)

    def archives(self, job_ids: Collection[int]) -> dict[int, Archive]:
        known = t.artifacts.c.job_id.in_(list(job_ids)) & (t.artifacts.c.file_type == ARCHIVE)
        rows = self.database.all(sa.select(t.artifacts).where(known))
        return {row.job_id: Archive(row.filename, row.size) for row in rows}

    def keep_forever(self, job_id: int) -> None:
        unlimited = sa.update(t.artifacts).where(t.artifacts.c.job_id == job_id)
        self.database.execute(unlimited.values(expire_at=None))

    def delete(self, job_id: int) -> None:
        self.database.execute(sa.delete(t.artifacts).where(t.artifacts.c.job_id == job_id))
        self._depot.doom(self.folder(job_id))

    def expirable(self, project_id: int) -> list[int]:
        """The jobs of a project with files that would expire some day."""
        query = sa.select(t.artifacts.c.job_id).join(t.jobs, t.jobs.c.id == t.artifacts.c.job_id).distinct()
        known = (t.jobs.c.project_id == project_id) & t.artifacts.c.expire_at.is_not(None)
        return [row[0] for row in self.database.all(query.where(known))]

    def expire(self) -> set[int]:
        """Removes what is past its time; gives the jobs that it was of."""
        gone = self._expired(time.time())
        for artifact in gone:
            self._depot.doom(self.path(artifact))
            self.database.execute(sa.delete(t.artifacts).where(t.artifacts.c.id == artifact.id))
        return {artifact.job_id for artifact in gone}

    def _expired(self, now: float, of: Any = True) -> list[Any]:
        """The rows that are past their time and that nothing keeps."""
        newer = t.pipelines.alias()
        replaced = sa.exists(
            sa.select(newer.c.id).where(
                newer.c.project_id == t.pipelines.c.project_id,
                newer.c.ref == t.pipelines.c.ref,
                newer.c.id > t.pipelines.c.id,
                newer.c.status == "success",
            )
        )
        query = (
            sa.select(t.artifacts, replaced.label("replaced"), t.projects.c.settings)
            .join(t.jobs, t.jobs.c.id == t.artifacts.c.job_id)
            .join(t.pipelines, t.pipelines.c.id == t.jobs.c.pipeline_id)
            .join(t.projects, t.projects.c.id == t.pipelines.c.project_id)
            .where(t.artifacts.c.expire_at <= now, of)
        )
        rows = self.database.all(query)
        return [row for row in rows if row.replaced or not settings_of(row).keep_latest_artifact]

    def _doomed(self, job_id: int, file_type: str) -> sa.Executable:
        return sa.delete(t.artifacts).where(t.artifacts.c.job_id == job_id, t.artifacts.c.file_type == file_type)
