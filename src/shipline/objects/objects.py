"""The interface that `Folder` and `Bucket` give.

Names are texts with slashes (`project/3/default-protected`), without empty, `.` or `..` parts. All methods may be
called from many tasks, processes and machines at once: of several who keep an object of one name, one wins. A
method that is cancelled leaves nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import IO, NamedTuple, Protocol


class ObjectsError(Exception):
    """The place could not be reached, refused, or is full; the text says where and why, in one line."""


class Stored(NamedTuple):
    """An object: `changed` in Unix seconds, `version` differs whenever the content does."""

    name: str
    size: int
    changed: float
    version: str


class Fetched(NamedTuple):
    """An object's content as a file at its start, for whoever asked to close. It stays as it is, also when the
    object is replaced or removed meanwhile."""

    stored: Stored
    file: IO[bytes]


class Objects(Protocol):
    def place(self, name: str = "") -> str:
        """Where an object is, for people; without secrets."""

    async def look(self, name: str) -> Stored | None:
        """The object, or None when there is none. Raises ObjectsError, as all do."""

    async def fetch(self, name: str) -> Fetched | None:
        """The whole object as a file; None when there is none."""

    def read(self, name: str, start: int = 0) -> AsyncIterator[bytes]:
        """The object's content from a byte on, piece by piece. ObjectsError when there is none."""

    async def keep(self, name: str, file: Path) -> Stored:
        """Keeps a file's content under a name. The file may be moved away, so it must not be used afterwards."""

    async def remove(self, name: str) -> None:
        """Removes an object; it need not be there."""

    async def address(self, name: str, good_for: timedelta) -> str | None:
        """A URL that gives the object to whoever knows it, for a time; None where there are no such URLs."""

    def list(self, prefix: str = "") -> AsyncIterator[Stored]:
        """The objects whose names begin with the folder `prefix`, in no order."""
