"""Git LFS objects of a project: files named by their SHA-256, in its repository's folder `lfs`, as git-lfs has it.

They go where the repository goes: into backups, with a fork, with the project when it is deleted.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

NAME = re.compile(r"[0-9a-f]{64}\Z")
POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-.*\n)*oid sha256:([0-9a-f]{64})\nsize \d+\n"
)
LONGEST_POINTER = 1024  # bytes, as git-lfs has it


class WrongContent(Exception):
    """What was sent is not the object that was announced."""


class LargeFiles:
    """The objects of one repository, by their names: 64 hexadecimal digits."""

    def __init__(self, repository: Path) -> None:
        self.folder = repository / "lfs"

    def path(self, name: str) -> Path:
        """Where the object is, or would be."""
        return self.folder / "objects" / name[:2] / name[2:4] / name

    def size(self, name: str) -> int | None:
        """Bytes of the object; None when it is not here."""
        try:
            return self.path(name).stat().st_size
        except OSError:
            return None

    async def receive(self, name: str, size: int, content: AsyncIterator[bytes]) -> None:
        """Takes an object in: it is there as a whole or not at all. WrongContent when it is another one."""
        scratch = self.folder / "tmp"
        await asyncio.to_thread(scratch.mkdir, parents=True, exist_ok=True)
        digest, received = hashlib.sha256(), 0
        descriptor, coming = tempfile.mkstemp(dir=scratch)
        try:
            with os.fdopen(descriptor, "wb") as file:
                async for part in content:
                    received += len(part)
                    digest.update(part)
                    file.write(part)
            if received != size or digest.hexdigest() != name:
                raise WrongContent(f"This is not the object {name} of {size} bytes.")
            self._keep(coming, name)
        finally:
            _forget(coming)

    def _keep(self, coming: str, name: str) -> None:
        place = self.path(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        Path(coming).replace(place)

    def share(self, other: Path) -> None:
        """Gives another repository the same objects."""
        if (self.folder / "objects").is_dir():
            target = LargeFiles(other).folder / "objects"
            shutil.copytree(self.folder / "objects", target, copy_function=_link, dirs_exist_ok=True)


def named_by(content: bytes) -> str | None:
    """The name of the object that a file of the repository stands for; None where it is no pointer."""
    found = POINTER.match(content) if len(content) <= LONGEST_POINTER else None
    return found[1].decode() if found else None


def _forget(coming: str) -> None:
    Path(coming).unlink(missing_ok=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or too many links
        shutil.copyfile(source, target)
