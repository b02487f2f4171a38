"""The logs of jobs as files: `traces/<id // 1000>/<id>`. What was acknowledged is in the file."""

from __future__ import annotations

import os
from pathlib import Path


class Traces:
    """Logs below one folder."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def path(self, job_id: int) -> Path:
        return self._home / str(job_id // 1000) / str(job_id)

    def size(self, job_id: int) -> int:
        """Bytes stored; 0 when there is no log."""
        try:
            return self.path(job_id).stat().st_size
        except FileNotFoundError:
            return 0

    def write(self, job_id: int, offset: int, data: bytes) -> int:
        """Adds at `offset`, unless that leaves a gap; gives the bytes now stored."""
        path = self.path(job_id)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        except FileNotFoundError:
            path.parent.mkdir(exist_ok=True, mode=0o700, parents=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            stored = os.fstat(descriptor).st_size
            if offset > stored:
                return stored
            view = memoryview(data)
            while view:
                written = os.pwrite(descriptor, view, offset)
                offset, view = offset + written, view[written:]
            return max(stored, offset)
        finally:
            os.close(descriptor)

    def read(self, job_id: int, start: int = 0, limit: int | None = None) -> bytes:
        try:
            with self.path(job_id).open("rb") as file:
                file.seek(start)
                return file.read(-1 if limit is None else limit)
        except FileNotFoundError:
            return b""

    def erase(self, job_id: int) -> None:
        self.path(job_id).unlink(missing_ok=True)
