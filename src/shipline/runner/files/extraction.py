"""Unpacks an archive into a job's project folder. Whoever made it, nothing of it comes to lie outside.

Refused are names that lead out, and members below a symbolic link of the same archive. Links are made last, so that
no file of the archive can go through one.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import posixpath
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from shipline.runner.files import zstd
from shipline.runner.files.archive import TIMESTAMP, UTF8
from shipline.runner.files.members import FilesError, Kind, Member, ProjectFiles, checked
from shipline.runner.files.tar_archive import TarArchive

LONGEST_TARGET = 4096
SMALL = 1 << 20
ENCRYPTED = 0x1
HEADER = struct.Struct("<4s5H3L2H")  # of a member, before its name


async def unpack(files: ProjectFiles, archive: Path | IO[bytes]) -> None:
    """Puts what is in the archive into the project folder. Raises FilesError."""
    with contextlib.closing(await asyncio.to_thread(look_over, archive)) as looked_over:
        await files.write(looked_over.members)


def look_over(archive: Path | IO[bytes]) -> Archive | TarArchive:
    """The archive, by what it begins with: a zip file, or a tar file packed with Zstandard. Raises FilesError."""
    file = archive.open("rb") if isinstance(archive, Path) else archive
    try:
        begin = file.read(len(zstd.MAGIC))
        file.seek(0)
        if begin != zstd.MAGIC:
            return Archive(file)
        found = TarArchive(file)
        _refuse_paths_through_links(found.planned)
        return found
    except FilesError:
        if isinstance(archive, Path):
            file.close()
        raise


class Archive:
    """A zip file that was looked over: its names lead nowhere else, and it can be given out more than once. Raises
    FilesError for one that is broken or means harm, there and later."""

    def __init__(self, archive: IO[bytes]) -> None:
        with _told():
            self._file = zipfile.ZipFile(archive)
            infos = self._file.infolist()
            self._planned = [(member, info) for info in infos if (member := _planned(info)) is not None]
        _refuse_paths_through_links([member for member, _ in self._planned])

    @property
    def names(self) -> frozenset[tuple[str, Kind]]:
        """The paths and kinds of what it holds."""
        return frozenset((member.path, member.kind) for member, _ in self._planned)

    @property
    def size(self) -> int:
        """The bytes of its files altogether."""
        return sum(member.size for member, _ in self._planned)

    def members(self) -> Iterator[Member]:
        """What it holds, links last."""
        with _told():
            for planned, info in sorted(self._planned, key=lambda pair: pair[0].kind == "link"):
                member = Member(planned.path, planned.kind, planned.mode, planned.mtime, planned.size)
                if member.kind == "folder":
                    yield member
                    continue
                with contextlib.closing(_content(self._file, info)) as content:
                    if member.kind == "link":
                        member.target = os.fsdecode(content.read(LONGEST_TARGET))
                    else:
                        member.content = content
                    yield member

    def close(self) -> None:
        self._file.close()


def _content(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes] | zstd.Checked:
    """What is in a member. A small one is read at once: zipfile's own reader takes longer to make than to use."""
    stream = file.fp
    packed = info.compress_type == zstd.METHOD
    large = max(info.file_size, info.compress_size) > SMALL and not packed
    if large or info.flag_bits & ENCRYPTED or stream is None:
        return file.open(info)
    stream.seek(info.header_offset)
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size or not header.startswith(b"PK\3\4"):
        raise zipfile.BadZipFile(f"no header for {info.filename!r}")
    name, extra = HEADER.unpack(header)[-2:]
    stream.seek(name + extra, os.SEEK_CUR)
    if packed:
        return zstd.Checked(stream, info)
    data = stream.read(info.compress_size)
    if info.compress_type == zipfile.ZIP_DEFLATED:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, info.file_size + 1)
    elif info.compress_type != zipfile.ZIP_STORED:
        return file.open(info)
    if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
        raise zipfile.BadZipFile(f"wrong checksum of {info.filename!r}")
    return io.BytesIO(data)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What is wrong with an archive, as FilesError."""
    try:
        yield
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, UnicodeError) as error:
        raise FilesError(f"the archive cannot be read: {error}") from None


def _planned(info: zipfile.ZipInfo) -> Member | None:
    """The member as it is to be; None for the project folder itself."""
    mode = info.external_attr >> 16
    path = checked(_name(info))
    if path == ".":
        return None
    kind: Kind = "folder" if info.is_dir() else "link" if stat.S_ISLNK(mode) else "file"
    allowed = mode & 0o777 or (0o755 if kind == "folder" else 0o644)
    return Member(path, kind, allowed, _mtime(info), 0 if kind == "folder" else info.file_size)


def _name(info: zipfile.ZipInfo) -> str:
    """The name; without the mark for UTF-8, its bytes are taken as they are."""
    if info.flag_bits & UTF8:
        return info.filename
    try:
        return os.fsdecode(info.filename.encode("cp437"))
    except UnicodeEncodeError:
        return info.filename


def _mtime(info: zipfile.ZipInfo) -> float:
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == TIMESTAMP and size >= 5 and len(extra) >= 9 and extra[4] & 1:
            return float(struct.unpack_from("<i", extra, 5)[0])
        extra = extra[4 + size :]
    try:
        return time.mktime((*info.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return 0.0


def _refuse_paths_through_links(members: list[Member]) -> None:
    links = {member.path for member in members if member.kind == "link"}
    for member in members:
        folder = posixpath.dirname(member.path)
        while links and folder:
            if folder in links:
                raise FilesError(f"{member.path!r} lies behind the link {folder!r} of the same archive")
            folder = posixpath.dirname(folder)
