"""Files that people put to a project: what releases link to, say. Each is below an address that nobody guesses.

They stay in the server's home, also where there is a bucket, and are part of a backup.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa

from shipline.server import tables as t
from shipline.server.database import Database

LARGEST = 100 << 20
"""Bytes of one file, as at GitLab."""
LONGEST_NAME = 255
UNSAFE = re.compile(r"[^A-Za-z0-9_.\-]+")


class Uploads:
    """The files of all projects; `home` holds a folder for each project."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database = database
        self.home = home

    def write(self, project_id: int, source: IO[bytes]) -> tuple[str, int]:
        """Keeps a file, durably; gives its secret and its size. Nobody knows it until `add`. For a thread."""
        secret = secrets.token_hex(16)
        path = self.path(project_id, secret)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.with_suffix(".part").open("wb") as file:
            shutil.copyfileobj(source, file)
            file.flush()
            os.fsync(file.fileno())
        path.with_suffix(".part").rename(path)
        return secret, path.stat().st_size

    def add(self, project_id: int, secret: str, name: str, size: int, user_id: int) -> Any:
        """Notes a file that was written."""
        number = self.database.insert(
            t.uploads,
            project_id=project_id,
            secret=secret,
            filename=safe_name(name),
            size=size,
            user_id=user_id,
            created_at=time.time(),
        )
        return self.by_id(project_id, number)

    def of(self, project_id: int) -> sa.Select[Any]:
        return sa.select(t.uploads).where(t.uploads.c.project_id == project_id)

    def by_id(self, project_id: int, number: int) -> Any | None:
        return self.database.one(self.of(project_id).where(t.uploads.c.id == number))

    def by_secret(self, project_id: int, secret: str, name: str) -> Any | None:
        known = (t.uploads.c.secret == secret) & (t.uploads.c.filename == name)
        return self.database.one(self.of(project_id).where(known))

    def path(self, project_id: int, secret: str) -> Path:
        return self.home / str(project_id) / secret

    def delete(self, row: Any) -> None:
        self.database.execute(sa.delete(t.uploads).where(t.uploads.c.id == row.id))
        self.path(row.project_id, row.secret).unlink(missing_ok=True)

    def delete_all(self, project_id: int) -> None:
        """What is left of a project's files; the rows go with the project."""
        shutil.rmtree(self.home / str(project_id), ignore_errors=True)


def safe_name(name: str) -> str:
    """The last part of a file's name, with letters that an address holds."""
    kept = UNSAFE.sub("_", name.replace("\\", "/").rpartition("/")[2]).lstrip(".") or "file"
    return kept[-LONGEST_NAME:]
