"""Members as a tar stream and back: how they travel into and out of a pod."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from typing import IO

from shipline.runner.files.members import FilesError, Kind, Member, checked

BUFFER = 1 << 18
KINDS: dict[bytes, Kind] = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "folder"}
KINDS |= {tarfile.SYMTYPE: "link", tarfile.GNUTYPE_SPARSE: "file", tarfile.CONTTYPE: "file"}
TYPES = {"file": tarfile.REGTYPE, "folder": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}


class BrokenOff(FilesError):
    """A stream ended before it was whole."""


def read_members(stream: IO[bytes]) -> Iterator[Member]:
    """The members of one tar stream, or of several one after the other. Raises FilesError when it breaks off;
    reading a member's content raises tarfile.ReadError then."""
    try:
        with tarfile.open(
            fileobj=stream, mode="r|", bufsize=BUFFER, ignore_zeros=True, errors="surrogateescape"
        ) as archive:
            while (info := archive.next()) is not None:
                kind = KINDS.get(info.type)
                if kind is not None:
                    content = archive.extractfile(info) if kind == "file" else None
                    yield Member(checked(info.name), kind, info.mode, info.mtime, info.size, info.linkname, content)
                archive.members = []  # type: ignore[attr-defined]  # a stream never goes back, so what is behind need not be remembered
    except tarfile.TarError as error:
        raise BrokenOff(f"the stream of files broke off: {error}") from None


def write_members(stream: IO[bytes], members: Iterable[Member]) -> None:
    """Writes a tar stream. Everything belongs to root, as what a runner's helper unpacks does."""
    with tarfile.open(
        fileobj=stream,
        mode="w|",
        bufsize=BUFFER,
        format=tarfile.GNU_FORMAT,
        errors="surrogateescape",
        encoding="utf-8",
    ) as archive:
        for member in members:
            info = tarfile.TarInfo(member.path)
            info.type = TYPES[member.kind]
            info.mode = member.mode
            info.mtime = int(member.mtime)
            info.size = member.size if member.kind == "file" else 0
            info.linkname = member.target
            try:
                archive.addfile(info, member.content)
            except OSError as error:
                if member.content is not None and "end of data" in str(error):
                    raise FilesError(f"{member.path} is shorter than its archive says") from None
                raise
            archive.members = []  # type: ignore[attr-defined]
