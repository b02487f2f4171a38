"""A tar file packed with Zstandard: gitlab-runner's `tarzstd`."""

from __future__ import annotations

import contextlib
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from shipline.runner.files import zstd
from shipline.runner.files.members import FilesError, Kind, Member, checked
from shipline.runner.files.tar import KINDS, write_members


def write_tar(target: Path, level: int, members: Iterable[Member]) -> None:
    """A tar file, packed as a whole."""
    import zstandard

    with (
        target.open("wb") as file,
        zstandard.ZstdCompressor(level=level, write_checksum=True).stream_writer(file) as into,
    ):
        write_members(into, members)


class TarArchive:
    """A packed tar file that was looked over, as `shipline.runner.files.extraction.Archive` is one of zip."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.planned: list[Member] = []
        for info, _ in self._entries():
            if (member := _planned(info)) is not None:
                self.planned.append(member)

    @property
    def names(self) -> frozenset[tuple[str, Kind]]:
        """The paths and kinds of what it holds."""
        return frozenset((member.path, member.kind) for member in self.planned)

    @property
    def size(self) -> int:
        """The bytes of its files altogether."""
        return sum(member.size for member in self.planned)

    def members(self) -> Iterator[Member]:
        """What it holds, links last."""
        for info, archive in self._entries():
            member = _planned(info)
            if member is None or member.kind == "link":
                continue
            if member.kind == "file":
                member.content = archive.extractfile(info)
            yield member
        yield from (member for member in self.planned if member.kind == "link")

    def close(self) -> None:
        self._file.close()

    def _entries(self) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
        self._file.seek(0)
        try:
            with (
                contextlib.closing(zstd.reader(self._file)) as stream,
                tarfile.open(fileobj=stream, mode="r|", errors="surrogateescape") as archive,
            ):
                while (info := archive.next()) is not None:
                    yield info, archive
                    archive.members = []  # type: ignore[attr-defined]
        except (tarfile.TarError, zstd.error(), EOFError) as wrong:
            raise FilesError(f"the archive cannot be read: {wrong}") from None


def _planned(info: tarfile.TarInfo) -> Member | None:
    kind = KINDS.get(info.type)
    if info.islnk():
        raise FilesError(f"{info.name!r} is a further name of another file, which an archive here does not hold")
    path = checked(info.name)
    if kind is None or path == ".":
        return None
    size = info.size if kind == "file" else 0
    return Member(path, kind, info.mode & 0o777, float(info.mtime), size, info.linkname)
