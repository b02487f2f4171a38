"""The project folder's files as an executor gives them, wherever the job runs.

Paths are relative to the project folder, with slashes, without `./` and without a slash at the end; `.` is the
folder itself. A name that is not UTF-8 has its odd bytes as surrogates, as everywhere in Python.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Protocol, TypeVar

import msgspec

T = TypeVar("T")
Kind = Literal["file", "folder", "link"]


class FilesError(Exception):
    """Files could not be listed, read, packed, unpacked or written; the text says which and why."""


class Entry(msgspec.Struct, frozen=True):
    """A name in the project folder. `shared`: a file that has further names (hard links)."""

    path: str
    kind: Kind
    shared: bool = False


class Readable(Protocol):
    """Bytes that are read from the beginning to the end."""

    def read(self, size: int = -1, /) -> bytes: ...


class Member(msgspec.Struct):
    """A file, folder or symbolic link on its way. `mtime` in Unix seconds; `target` is a link's.

    `content` has `size` bytes and is read before the next member is asked for.
    """

    path: str
    kind: Kind
    mode: int
    mtime: float
    size: int = 0
    target: str = ""
    content: Readable | None = None


class ProjectFiles(Protocol):
    """What each executor does with the project folder, after `get_sources`. Each method raises FilesError.

    `take` and `give` are called in a thread, and once more from the start where a connection broke.
    """

    async def find(self, roots: Sequence[str]) -> list[Entry]:
        """The entries at and below each root, each once, in no order; a root that is not there has none.

        A root that is a link is that link; with a slash at its end it is the folder that it leads to. Other links
        are not followed."""

    async def untracked(self) -> list[str]:
        """The paths that git does not track, ignored ones too."""

    async def mark(self) -> str:
        """A sign for this moment: what is changed from now on can be told from what was there."""

    async def touched(self, mark: str, roots: Sequence[str]) -> bool:
        """Whether a file or link at or below the roots has been changed since. True where that can't be told."""

    async def read(self, entries: Sequence[Entry], take: Callable[[Iterable[Member]], T]) -> T:
        """Calls `take` with the entries' members, in this order as far as it can be had."""

    async def write(self, give: Callable[[], Iterable[Member]]) -> None:
        """Puts members into the project folder, over what is there. A member that would come to lie outside of
        the folder, by its name or through a link that is there, is refused."""


def checked(path: str) -> str:
    """A member's path, tidied; FilesError when it leads out of the project folder."""
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "\0" in path:
        raise FilesError(f"{path!r} leads out of the project folder")
    return posixpath.normpath(path)


def folders_of(members: Iterable[Member]) -> list[str]:
    """All folders that members are in or are, outermost first."""
    found: set[str] = set()
    for member in members:
        path = member.path if member.kind == "folder" else posixpath.dirname(member.path)
        while path and path != "." and path not in found:
            found.add(path)
            path = posixpath.dirname(path)
    return sorted(found)
