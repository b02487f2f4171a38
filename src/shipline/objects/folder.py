"""Objects in a folder of this machine, each a file. The least recently used are removed when it grows too large.

A file's modification time says when it was last used. What is being written lies beside as `.part-<process>-...`
until it is renamed; parts of processes that have died are removed by the next that writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

from shipline.objects.objects import Fetched, ObjectsError, Stored

PART = ".part-"
BLOCK = 1 << 20
NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class Folder:
    """`limit` in bytes, 0 for none. The folder is made when something is kept."""

    def __init__(self, root: Path, limit: int = 0) -> None:
        self.root = root
        self.limit = limit

    def place(self, name: str = "") -> str:
        return str(self._path(name) if name else self.root)

    async def look(self, name: str) -> Stored | None:
        try:
            path = self._path(name)
            return None if path.is_dir() else _stored(name, path.stat())
        except NO_FILE:
            return None
        except OSError as error:
            raise self._failed(error) from None

    async def fetch(self, name: str) -> Fetched | None:
        path = self._path(name)
        try:
            file = path.open("rb")
        except NO_FILE:
            return None
        except OSError as error:
            raise self._failed(error) from None
        stored = _stored(name, os.fstat(file.fileno()))
        with contextlib.suppress(OSError):
            os.utime(path)
        return Fetched(stored, file)

    async def read(self, name: str, start: int = 0) -> AsyncIterator[bytes]:
        fetched = await self.fetch(name)
        if fetched is None:
            raise ObjectsError(f"there is no {self.place(name)}")
        with fetched.file as file:
            file.seek(start)
            while piece := await asyncio.to_thread(file.read, BLOCK):
                yield piece

    def part(self) -> Path:
        """The path of a file that is to be kept when it has been written; on this folder's disk. What a killed
        process leaves of it is removed as every part is."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._failed(error) from None
        return self._part(self.root)

    def _part(self, folder: Path) -> Path:
        return folder / f"{PART}{os.getpid()}-{os.urandom(6).hex()}"

    async def keep(self, name: str, file: Path) -> Stored:
        return await asyncio.to_thread(self._keep, name, file)

    def _keep(self, name: str, file: Path) -> Stored:
        path = self._path(name)
        try:
            size = file.stat().st_size
            if self.limit and size > self.limit:
                raise ObjectsError(f"{size} bytes are more than {self.root} may hold altogether ({self.limit})")
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = self._part(path.parent)
            try:
                _bring(file, part)
                os.utime(part)
                part.replace(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            stored = _stored(name, path.stat())
        except OSError as error:
            raise self._failed(error) from None
        self.tidy(path)
        return stored

    async def remove(self, name: str) -> None:
        try:
            self._path(name).unlink(missing_ok=True)
        except NO_FILE:
            return
        except OSError as error:
            raise self._failed(error) from None

    async def address(self, name: str, good_for: timedelta) -> str | None:
        return None

    async def list(self, prefix: str = "") -> AsyncIterator[Stored]:
        for path, status in self._files(self._path(prefix) if prefix else self.root):
            if not path.name.startswith(PART):
                yield _stored(path.relative_to(self.root).as_posix(), status)

    def tidy(self, spare: Path | None = None, *, limit: int = 0, unused: float = 0.0) -> None:
        """Removes what dead processes left, and what was not used for the longest time while there is too much:
        more than `limit`, or else than the folder's own. What was used in the last `unused` seconds stays."""
        limit = limit or self.limit
        newest = time.time() - unused
        files = []
        for path, status in self._files(self.root):
            if path.name.startswith(PART):
                if not _alive(path.name.removeprefix(PART).partition("-")[0]):
                    path.unlink(missing_ok=True)
            else:
                files.append((status.st_mtime, status.st_size, path))
        too_much = sum(size for _, size, _ in files) - limit if limit else 0
        for used, size, path in sorted(files):
            if too_much <= 0 or used > newest:
                break
            if path != spare:
                with contextlib.suppress(OSError):
                    path.unlink()
                    too_much -= size

    def _files(self, folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
        for parent, _, names in os.walk(folder):
            for name in names:
                path = Path(parent, name)
                with contextlib.suppress(FileNotFoundError):
                    yield path, path.lstat()

    def _path(self, name: str) -> Path:
        parts = name.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise ObjectsError(f"{name!r} is no name for an object")
        return self.root.joinpath(*parts)

    def _failed(self, error: OSError) -> ObjectsError:
        return ObjectsError(f"{error.filename or self.root}: {error.strerror}")


def _stored(name: str, status: os.stat_result) -> Stored:
    # The inode is a new one each time: a use changes the modification time, and no more
    return Stored(name, status.st_size, status.st_mtime, f"{status.st_ino}-{status.st_size}")


def _bring(file: Path, part: Path) -> None:
    """Moves the file to `part`: at once, or as a copy where it lies on another disk."""
    try:
        file.rename(part)
    except OSError:
        shutil.copyfile(file, part)
        file.unlink()


def _alive(process: str) -> bool:
    if not process.isdigit():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def age(stored: Stored) -> float:
    """Seconds since the object was last used."""
    return max(0.0, time.time() - stored.changed)
