"""The project folder's files of a job that runs on this machine: plain calls, in a thread."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from shipline.runner.errors import JobFailed
from shipline.runner.files.members import Entry, FilesError, Kind, Member, Readable, folders_of
from shipline.runner.process import run_git

T = TypeVar("T")
BLOCK = 1 << 20
CLOCK = getattr(time, "CLOCK_REALTIME_COARSE", time.CLOCK_REALTIME)
STEP = 0.01  # seconds; files' times have this clock's steps, and what is changed next must not have the mark's own


class ShellFiles:
    """Implements `shipline.runner.files.members.ProjectFiles` for the folder `project`."""

    def __init__(self, project: str) -> None:
        self._project = project

    async def find(self, roots: Sequence[str]) -> list[Entry]:
        return await asyncio.to_thread(self._find, roots)

    def _find(self, roots: Sequence[str]) -> list[Entry]:
        found: dict[str, Entry] = {}
        for root in roots:
            path = root.rstrip("/") or "."
            try:
                status = (os.stat if root.endswith("/") else os.lstat)(f"{self._project}/{path}")
            except OSError:
                continue
            kind = _kind(status.st_mode)
            if kind is None:
                continue
            found[path] = Entry(path, kind)
            if kind == "folder":
                self._below("" if path == "." else f"{path}/", found)
        return list(found.values())

    def _below(self, prefix: str, found: dict[str, Entry]) -> None:
        waiting = [prefix]
        while waiting:
            prefix = waiting.pop()
            try:
                entries = os.scandir(f"{self._project}/{prefix}")
            except OSError as error:
                raise FilesError(f"{prefix}: {error.strerror}") from None
            with entries:
                for entry in entries:
                    path = prefix + entry.name
                    if entry.is_symlink():
                        found[path] = Entry(path, "link")
                    elif entry.is_dir():
                        found[path] = Entry(path, "folder")
                        waiting.append(f"{path}/")
                    elif entry.is_file():
                        found[path] = Entry(path, "file")

    async def untracked(self) -> list[str]:
        try:
            listed = await run_git("-C", self._project, "ls-files", "-o", "-z", names=True)
        except JobFailed as failure:
            raise FilesError(str(failure)) from None
        return [name for name in listed.split("\0") if name]

    async def mark(self) -> str:
        now = time.clock_gettime_ns(CLOCK)
        await asyncio.sleep(STEP)
        return str(now)

    async def touched(self, mark: str, roots: Sequence[str]) -> bool:
        return await asyncio.to_thread(self._touched, int(mark), roots)

    def _touched(self, mark: int, roots: Sequence[str]) -> bool:
        entries = (entry for entry in self._find(roots) if entry.kind != "folder")
        try:
            return any(os.lstat(f"{self._project}/{entry.path}").st_ctime_ns > mark for entry in entries)
        except OSError:
            return True

    async def read(self, entries: Sequence[Entry], take: Callable[[Iterable[Member]], T]) -> T:
        stop = threading.Event()
        return await _in_thread(lambda: take(self._members(entries, stop)), stop)

    def _members(self, entries: Sequence[Entry], stop: threading.Event) -> Iterator[Member]:
        for entry in entries:
            path = f"{self._project}/{entry.path}"
            try:
                status = os.lstat(path)
                kind = _kind(status.st_mode)
                if kind is None:
                    continue
                member = Member(entry.path, kind, status.st_mode & 0o7777, status.st_mtime)
                if kind == "link":
                    member.target = os.readlink(path)  # noqa: PTH115
                if kind != "file":
                    yield member
                    continue
                with open(path, "rb", buffering=0) as file:
                    member.size, member.content = status.st_size, _Stoppable(file, stop)
                    yield member
            except OSError as error:
                raise FilesError(f"{entry.path} cannot be read: {error.strerror}") from None

    async def write(self, give: Callable[[], Iterable[Member]]) -> None:
        stop = threading.Event()
        await _in_thread(lambda: self._write(give, stop), stop)

    def _write(self, give: Callable[[], Iterable[Member]], stop: threading.Event) -> None:
        inside = _Inside(self._project)
        modes: list[tuple[str, int, float]] = []
        for member in give():
            if member.content is not None:
                member.content = _Stoppable(member.content, stop)
            try:
                path = inside.place(member)
                if member.kind == "folder":
                    Path(path).mkdir(parents=True, exist_ok=True)
                    modes.append((path, member.mode, member.mtime))
                    continue
                try:
                    _write(path, member)
                except FileExistsError:
                    os.unlink(path)  # noqa: PTH108
                    _write(path, member)
            except OSError as error:
                raise FilesError(f"{member.path} cannot be written: {error.strerror}") from None
        for path, mode, mtime in reversed(modes):  # a folder that may not be written to is closed last
            os.chmod(path, mode)  # noqa: PTH101
            os.utime(path, (mtime, mtime))


class _Stoppable:
    """A member's content that can be read until somebody says stop."""

    def __init__(self, content: Readable, stop: threading.Event) -> None:
        self._content = content
        self._stop = stop

    def read(self, size: int = -1, /) -> bytes:
        if self._stop.is_set():
            raise FilesError("it was given up")
        return self._content.read(size)


async def _in_thread(work: Callable[[], T], stop: threading.Event) -> T:
    """Works in a thread, which is told to stop when nobody waits for it any more."""
    working = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([working])
        if not working.cancelled():
            working.exception()
        raise


class _Inside:
    """Finds the place of members below a folder and makes the folders they are in."""

    def __init__(self, project: str) -> None:
        self._project = os.path.realpath(project)
        self._known = {""}

    def place(self, member: Member) -> str:
        """Where a member is to be written. FilesError when that is outside, because of a link on the way."""
        if member.kind != "folder" and os.path.dirname(member.path) in self._known:  # noqa: PTH120 (a hot path)
            return f"{self._project}/{member.path}"
        for folder in folders_of([member]):
            if folder in self._known:
                continue
            real = os.path.realpath(f"{self._project}/{folder}")
            if real != self._project and not real.startswith(f"{self._project}/"):
                raise FilesError(f"{member.path!r} would come to lie in {real}, outside of the project folder")
            Path(real).mkdir(parents=True, exist_ok=True)
            self._known.add(folder)
        return f"{self._project}/{member.path}"


def _write(path: str, member: Member) -> None:
    """Makes a file or a link where nothing is. FileExistsError when something is."""
    if member.kind == "link":
        os.symlink(member.target, path)  # noqa: PTH211
    if member.content is None:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        while data := member.content.read(BLOCK):
            while data:
                data = data[os.write(descriptor, data) :]
        os.fchmod(descriptor, member.mode)
        os.utime(descriptor, (member.mtime, member.mtime))
    finally:
        os.close(descriptor)


def _kind(mode: int) -> Kind | None:
    """What a file mode is of; None for what no archive holds (sockets, devices)."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else None
