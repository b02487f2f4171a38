"""The files that jobs leave: `artifacts/<id // 1000>/<id>/<type>`, one of a type and job, with a row each."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa

from shipline.server import tables as t
from shipline.server.database import Database

BLOCK = 1 << 20


class Artifacts:
    """Files below one folder."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database = database
        self._home = home

    def folder(self, job_id: int) -> Path:
        return self._home / str(job_id // 1000) / str(job_id)

    def path(self, artifact: Any) -> Path:
        return self.folder(artifact.job_id) / str(artifact.file_type)

    def keep(self, job_id: int, file_type: str, source: IO[bytes]) -> tuple[int, str]:
        """Writes the file, durably, in its place; gives its size and SHA-256. Blocks: for a thread."""
        folder = self.folder(job_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        hashed, size = hashlib.sha256(), 0
        part = folder / f".{file_type}.part"
        with part.open("wb") as file:
            while block := source.read(BLOCK):
                hashed.update(block)
                size += len(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        part.rename(folder / file_type)
        return size, hashed.hexdigest()

    def add(self, job_id: int, file_type: str, **values: Any) -> None:
        """Notes a file that has been kept."""
        with self.database.transaction():
            self.database.execute(self._doomed(job_id, file_type))
            self.database.insert(t.artifacts, job_id=job_id, file_type=file_type, created_at=time.time(), **values)

    def of(self, job_id: int) -> list[Any]:
        """What there is of a job and has not expired."""
        alive = t.artifacts.c.expire_at.is_(None) | (t.artifacts.c.expire_at > time.time())
        query = sa.select(t.artifacts).where(t.artifacts.c.job_id == job_id, alive)
        return list(self.database.all(query.order_by(t.artifacts.c.id)))

    def archive(self, job_id: int) -> Any | None:
        """The job's archive, where its file is there."""
        found = next((artifact for artifact in self.of(job_id) if artifact.file_type == "archive"), None)
        return found if found is not None and self.path(found).exists() else None

    def keep_forever(self, job_id: int) -> None:
        unlimited = sa.update(t.artifacts).where(t.artifacts.c.job_id == job_id)
        self.database.execute(unlimited.values(expire_at=None))

    def delete(self, job_id: int) -> None:
        self.database.execute(sa.delete(t.artifacts).where(t.artifacts.c.job_id == job_id))
        shutil.rmtree(self.folder(job_id), ignore_errors=True)

    def expire(self) -> None:
        """Removes what is past its time."""
        past = t.artifacts.c.expire_at <= time.time()
        for artifact in self.database.all(sa.select(t.artifacts).where(past)):
            self.path(artifact).unlink(missing_ok=True)
        self.database.execute(sa.delete(t.artifacts).where(past))

    def _doomed(self, job_id: int, file_type: str) -> sa.Executable:
        return sa.delete(t.artifacts).where(t.artifacts.c.job_id == job_id, t.artifacts.c.file_type == file_type)
