"""A job's log as a file: written at an offset, read from one. What was acknowledged is in the file."""

from __future__ import annotations

import os
from pathlib import Path


def write_at(path: Path, offset: int, data: bytes) -> int:
    """Adds at `offset`, unless that leaves a gap; gives the bytes now stored. Only its owner may read the file."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    except FileNotFoundError:
        path.parent.parent.mkdir(exist_ok=True, mode=0o700)
        path.parent.mkdir(exist_ok=True, mode=0o700)
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


def read_from(path: Path, start: int = 0, limit: int | None = None) -> bytes:
    """The bytes from `start` on, `limit` of them at most; none where there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(-1 if limit is None else limit)
    except FileNotFoundError:
        return b""
