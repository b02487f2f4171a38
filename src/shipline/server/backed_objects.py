"""What a server keeps in a bucket, into a backup and out of it again, one object at a time.

In the archive an object stands below `objects/`, since what came from the disk goes back to the disk: it may be the
log of a job that still runs. What came from the bucket goes to the bucket of the new server, or, where that has
none, to where it came in first.
"""

from __future__ import annotations

import asyncio
import os
import tarfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from shipline.objects.address import open_objects
from shipline.objects.objects import Objects, ObjectsError
from shipline.server.errors import ServerError
from shipline.server.settings import Settings

INSIDE = "objects/"
KINDS = ("traces", "artifacts")
COPIES = "copies"
DOOMED = "doomed"
ADDRESS = "objects.address"
"""The file of a home that says which bucket its server used last."""


def note_address(settings: Settings) -> None:
    """Notes where the server's objects are, so that a backup finds them. Raises OSError."""
    file = settings.home / ADDRESS
    if (file.read_text() if file.exists() else "") != settings.objects:
        part = file.with_name(f"{ADDRESS}.{os.getpid()}.part")
        part.write_text(settings.objects)
        part.replace(file)


def address_of(settings: Settings) -> str:
    """The bucket that is named, else the one that the server used last; empty for none."""
    file = settings.home / ADDRESS
    return settings.objects or (file.read_text() if file.exists() else "")


def opened(address: str) -> Objects | None:
    """The objects at an address, None where there is none. Raises ServerError."""
    try:
        return open_objects(address) if address else None
    except ObjectsError as error:
        raise ServerError(f"--objects: {error}") from None


def add_objects(archive: tarfile.TarFile, bucket: Objects, home: Path, there: Collection[str]) -> None:
    """Writes all objects but those that are `there` already, or that are to be deleted. Raises ServerError."""
    asyncio.run(_told(_add_all(archive, bucket, _doomed(home), there)))


async def _add_all(archive: tarfile.TarFile, bucket: Objects, doomed: set[str], there: Collection[str]) -> None:
    for kind in KINDS:
        async for stored in bucket.list(kind):
            if stored.name in there or stored.name in doomed or stored.name.rpartition("/")[0] in doomed:
                continue
            fetched = await bucket.fetch(stored.name)
            if fetched is None:
                continue  # expired meanwhile
            about = tarfile.TarInfo(INSIDE + stored.name)
            about.size, about.mode, about.mtime = fetched.stored.size, 0o600, int(stored.changed or time.time())
            with fetched.file as file:
                archive.addfile(about, file)


class Returning:
    """Objects on their way back: to the bucket, or below `folder`. What was written to the bucket is taken away
    again by `undo`."""

    def __init__(self, bucket: Objects | None, folder: Path) -> None:
        self._bucket = bucket
        self._folder = folder
        self._written: list[str] = []
        self._runner = asyncio.Runner()

    def take(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo, extract: Callable[[tarfile.TarInfo], None]
    ) -> None:
        """Brings one object to its place; `extract` unpacks a member below the folder. Raises ServerError."""
        name = member.name.removeprefix(INSIDE)
        inside = member.replace(name=name, deep=False)
        if self._bucket is None or name.partition("/")[0] not in KINDS:
            extract(inside)
            return
        content = archive.extractfile(member)
        if content is not None:
            self._runner.run(_told(self._keep(self._bucket, name, content, member.size)))

    async def _keep(self, bucket: Objects, name: str, content: IO[bytes], size: int) -> None:
        known = await bucket.look(name)
        if known is not None and known.size == size:
            return
        part = self._folder / "object.part"
        try:
            with part.open("wb") as file:
                while block := content.read(1 << 20):
                    file.write(block)
            if known is None:
                self._written.append(name)
            await bucket.keep(name, part)
        finally:
            part.unlink(missing_ok=True)

    def undo(self) -> None:
        """Removes what has been written. Raises ServerError."""
        self._runner.run(_told(self._remove()))

    async def _remove(self) -> None:
        for name in self._written if self._bucket is not None else ():
            assert self._bucket is not None
            await self._bucket.remove(name)

    def close(self) -> None:
        self._runner.close()


async def _told(work: object) -> None:
    try:
        await work  # type: ignore[misc]
    except ObjectsError as error:
        raise ServerError(str(error)) from None


def _doomed(home: Path) -> set[str]:
    folder = home / DOOMED
    return {unquote(marker.name) for marker in folder.iterdir()} if folder.exists() else set()
