"""A job's log as a file: written at an offset, read from one. What was acknowledged is in the file."""

# ruff: noqa: PTH102, PTH120 (each job's hot path: paths are plain strings)

from __future__ import annotations

import os
from pathlib import Path


def write_at(path: Path | str, offset: int, data: bytes) -> int:
    """Adds at `offset`, unless that leaves a gap; gives the bytes now stored. Only its owner may read the file."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    except FileNotFoundError:
        _make_folder(os.path.dirname(path))
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


def _make_folder(folder: str) -> None:
    """Makes a job's folder, and first the one that holds them all. Nearly always that one is there."""
    try:
        os.mkdir(folder, 0o700)
    except FileNotFoundError:
        Path(folder).parent.mkdir(exist_ok=True, mode=0o700)
        Path(folder).mkdir(exist_ok=True, mode=0o700)
    except FileExistsError:
        pass


def read_from(path: Path | str, start: int = 0, limit: int | None = None) -> bytes:
    """The bytes from `start` on, `limit` of them at most; none where there is no file."""
    try:
        with open(path, "rb") as file:
            file.seek(start)
            return file.read(-1 if limit is None else limit)
    except FileNotFoundError:
        return b""
