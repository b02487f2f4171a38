"""Where finished files live when the server has a bucket: logs of jobs that have ended, and artifacts.

A file is first where it came in, on the server's disk, since that is what was acknowledged. Some time later it is
copied to the bucket; then it moves to `copies`, a folder of files that the bucket has, too, of which the least
recently used are dropped. What is asked for and is not here is brought back to `copies`.

A deletion is noted in `doomed` before anything else, so that what was deleted is not found again, whatever becomes
of this process or of the bucket meanwhile. Without a bucket, everything stays where it came in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote

from shipline.objects.folder import Folder
from shipline.objects.objects import Objects, ObjectsError

PART = ".part-"
AT_ONCE = 4
QUESTION = 1000
SWEEP_EVERY = 86400.0  # seconds
YOUNG = 86400.0
"""Seconds for which an object that nobody knows is left alone: its job may be being written."""

log = logging.getLogger("shipline.server")

Finished = Callable[[Collection[int]], set[int]]
"""Of the numbers of jobs, those of jobs whose logs are complete, or that are known at all."""


class Depot:
    """`home` is the server's. `copies` in bytes; `settled` is how many seconds a file rests before it is moved."""

    def __init__(self, home: Path, bucket: Objects | None, copies: int, settled: float) -> None:
        self.bucket = bucket
        self._home = home
        self._doomed = home / "doomed"
        self._copies = Folder(home / "copies")
        self._limit = copies
        self._settled = settled
        self._kept: dict[Path, int] = {}
        self._trouble = ""
        self._swept = 0.0

    def here(self, path: Path) -> Path:
        """Where a file can be read on this disk: where it came in, or among the copies. It need not be there."""
        if self.bucket is None or path.exists():
            return path
        copy = self._copies.root / self._name(path)
        with contextlib.suppress(OSError):
            os.utime(copy)
            return copy
        return path

    async def bring(self, path: Path) -> Path | None:
        """The file, on this disk; None when it is nowhere. Raises ObjectsError."""
        found = self.here(path)
        if self.bucket is None or found.exists():
            return found if found.exists() else None
        name = self._name(path)
        if self._is_doomed(path):
            return None
        fetched = await self.bucket.fetch(name)
        if fetched is None:
            return None
        part = self._copies.part()
        with fetched.file as source:
            await asyncio.to_thread(_copy, source, part)
        await self._copies.keep(name, part)
        return self._copies.root / name

    async def address(self, path: Path, good_for: timedelta) -> str | None:
        """Where a file that is in the bucket alone can be fetched without a key; None for any other. Raises
        ObjectsError."""
        if self.bucket is None or self.here(path).exists() or self._is_doomed(path):
            return None
        name = self._name(path)
        return await self.bucket.address(name, good_for) if await self.bucket.look(name) is not None else None

    def brought(self, path: Path) -> Path | None:
        """As `bring`, for those who cannot wait for a task: the thread stands still meanwhile."""
        found = self.here(path)
        if self.bucket is None or found.exists():
            return found if found.exists() else None
        answer: list[Path | None] = []
        thread = threading.Thread(target=lambda: answer.append(asyncio.run(self.bring(path))))
        thread.start()
        thread.join()
        return answer[0] if answer else None

    def doom(self, path: Path) -> None:
        """A file or folder is gone: here now, in the bucket soon."""
        if self.bucket is not None:
            self._doomed.mkdir(exist_ok=True, mode=0o700)
            (self._doomed / quote(self._name(path), safe="")).touch()
            _remove(self._copies.root / self._name(path))
        _remove(path)

    async def round(self, finished: Finished) -> None:
        """Moves what has settled, and removes what is doomed. What cannot be done now is done in a later round."""
        if self.bucket is None:
            return
        try:
            for marker in await asyncio.to_thread(_listed, self._doomed):
                await self._forget(marker)
            artifacts, logs = await asyncio.to_thread(self._settled_ones)
            ended = _of_all(finished, logs)
            slots = asyncio.Semaphore(AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for path in (*artifacts, *(path for number, path in logs.items() if number in ended)):
                    await slots.acquire()
                    task = group.create_task(self._move(path))
                    task.add_done_callback(lambda _: slots.release())
        except* ObjectsError as errors:
            self._tell(str(errors.exceptions[0]))
        else:
            self._tell("")
        if self._kept or self._copies.root.exists():
            await asyncio.to_thread(self._copies.tidy, limit=self._limit, unused=self._settled)

    async def sweep(self, known: Finished, now: float) -> None:
        """Removes from the bucket and the copies what stands under the number of a job that is not there any more;
        once a day, since all names have to be listed."""
        if self.bucket is None or now - self._swept < SWEEP_EVERY:
            return
        self._swept = now
        try:
            for place in (self.bucket, self._copies):
                for kind in ("traces", "artifacts"):
                    listed = [each async for each in place.list(kind) if now - each.changed > YOUNG]
                    numbers = {each.name: _number(each.name) for each in listed}
                    there = _of_all(known, {number for number in numbers.values() if number is not None})
                    for name, number in numbers.items():
                        if number is not None and number not in there:
                            await place.remove(name)
        except ObjectsError as error:
            self._tell(str(error))

    def _tell(self, trouble: str) -> None:
        """Says once that the bucket can't be used, and once that it can again."""
        if trouble != self._trouble:
            log.warning("objects: %s", trouble or "everything can be moved again")
        self._trouble = trouble

    async def _forget(self, marker: Path) -> None:
        assert self.bucket is not None
        name = unquote(marker.name)
        await self.bucket.remove(name)
        for stored in [stored async for stored in self.bucket.list(name)]:
            await self.bucket.remove(stored.name)
        await asyncio.to_thread(marker.unlink, missing_ok=True)

    def _settled_ones(self) -> tuple[list[Path], dict[int, Path]]:
        """The artifacts that are to be moved, and the logs, by their jobs' numbers, if these have ended."""
        before = time.time() - self._settled
        artifacts = [path for path in self._settled_files("artifacts", 3, before) if not self._is_doomed(path)]
        logs = [path for path in self._settled_files("traces", 2, before) if not self._is_doomed(path)]
        return artifacts, {int(path.name): path for path in logs if path.name.isdigit()}

    def _settled_files(self, kind: str, depth: int, before: float) -> Iterator[Path]:
        for path in self._home.glob("/".join([kind, *"*" * depth])):
            with contextlib.suppress(FileNotFoundError):
                if not path.name.startswith(PART) and path.stat().st_mtime <= before:
                    yield path

    async def _move(self, path: Path) -> None:
        """Copies a file to the bucket; in the round after, when nobody who was told of its place is about to open
        it, it goes from there."""
        assert self.bucket is not None
        try:
            number = (await asyncio.to_thread(path.stat)).st_ino
            if self._kept.get(path) == number:
                del self._kept[path]
                await asyncio.to_thread(self._drop, path)
                return
            link = self._copies.part()
            os.link(path, link)
            try:
                await self.bucket.keep(self._name(path), link)
            finally:
                link.unlink(missing_ok=True)
        except FileNotFoundError:
            return  # deleted meanwhile, or moved by another process
        self._kept[path] = number

    def _drop(self, path: Path) -> None:
        copy = self._copies.root / self._name(path)
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            path.replace(copy)
            os.utime(copy)

    def _is_doomed(self, path: Path) -> bool:
        names = (path, path.parent)
        return any((self._doomed / quote(self._name(each), safe="")).exists() for each in names)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._home).as_posix()


def _of_all(chosen: Finished, numbers: Iterable[int]) -> set[int]:
    """What is chosen of many, asked for in questions that a database can take."""
    left, found = sorted(numbers), set[int]()
    while left:
        found |= chosen(left[:QUESTION])
        del left[:QUESTION]
    return found


def _number(name: str) -> int | None:
    """The job that an object belongs to: `traces/0/12`, `artifacts/0/12/archive`."""
    parts = name.split("/")
    return int(parts[2]) if len(parts) > 2 and parts[2].isdigit() else None


def _listed(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.exists() else []


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _copy(source: IO[bytes], target: Path) -> None:
    with target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
