"""Packs members into a file, in constant memory: zip as GitLab's artifacts and caches are, gzip, raw, or one of the
forms with Zstandard.

A zip keeps mode bits, symbolic links and times to the second (Info-ZIP's extended timestamp).
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import os
import shutil
import struct
import time
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from stat import S_IFDIR, S_IFLNK, S_IFREG

from shipline.runner.files import zstd
from shipline.runner.files.deflating import SMALL, Deflating
from shipline.runner.files.members import Entry, FilesError, Member, ProjectFiles
from shipline.runner.files.tar_archive import write_tar

BLOCK = 1 << 20
LARGE = 1 << 31
TIMESTAMP = 0x5455
UTF8 = 0x800
KINDS = {"file": S_IFREG, "folder": S_IFDIR, "link": S_IFLNK}
LEVELS = {"fastest": 0, "fast": 1, "default": 5, "slow": 7, "slowest": 9}
"""What ARTIFACT_COMPRESSION_LEVEL and CACHE_COMPRESSION_LEVEL may say, as zlib counts; 0 stores."""


async def pack(
    files: ProjectFiles, entries: Sequence[Entry], target: Path, archive_format: str = "zip", level: str = "default"
) -> None:
    """Writes the entries' archive to `target`. Raises FilesError, also when the disk is full."""
    writers = {
        "zip": write_zip,
        "zipzstd": write_zip_zstd,
        "tarzstd": write_tar,
        "gzip": write_gzip,
        "raw": write_raw,
    }
    if archive_format not in writers:
        raise FilesError(f"the format {archive_format!r} is not known: one of {', '.join(writers)}")
    if archive_format == "raw" and len(entries) > 1:
        raise FilesError("only one file can be sent as raw")
    levels = zstd.LEVELS if archive_format.endswith("zstd") else LEVELS
    take = functools.partial(writers[archive_format], target, levels.get(level, levels["default"]))
    try:
        await files.read(entries, take)
    except OSError as error:
        raise FilesError(f"the archive cannot be written: {error}") from None


class _Info(zipfile.ZipInfo):
    """A member whose name may hold bytes that are no UTF-8; these go into the archive as they are."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        name = os.fsencode(self.filename)
        try:
            name.decode("utf-8")
        except UnicodeDecodeError:
            return name, self.flag_bits & ~UTF8
        return name, self.flag_bits if name.isascii() else self.flag_bits | UTF8


def write_zip(target: Path, level: int, members: Iterable[Member]) -> None:
    """A zip file; `level` is zlib's, 0 for no compression."""
    _write_zip(target, level, zipfile.ZIP_DEFLATED if level else zipfile.ZIP_STORED, members)


def write_zip_zstd(target: Path, level: int, members: Iterable[Member]) -> None:
    """A zip file whose files are packed with Zstandard."""
    _write_zip(target, level, zstd.METHOD, members)


def _write_zip(target: Path, level: int, method: int, members: Iterable[Member]) -> None:
    of_zip = zipfile.ZIP_STORED if method == zstd.METHOD else method  # what zipfile itself may be told
    with (
        zipfile.ZipFile(target, "w", of_zip, compresslevel=level or None, strict_timestamps=False) as archive,
        contextlib.closing(Deflating(archive, level)) as small,
    ):
        for member in members:
            info = _info(member, method if member.kind == "file" else zipfile.ZIP_STORED)
            if member.kind != "file" or member.content is None:
                small.add(info, os.fsencode(member.target) if member.kind == "link" else b"")
            elif member.size <= SMALL:
                small.add(info, member.content.read(member.size))
            else:
                small.flush()
                info.file_size = member.size
                if method == zstd.METHOD:
                    zstd.write_member(archive, info, member.content, level)
                    continue
                info._compresslevel = level or None  # type: ignore[attr-defined]
                with archive.open(info, "w", force_zip64=member.size >= LARGE) as into:
                    shutil.copyfileobj(member.content, into, BLOCK)
        small.flush()


def _info(member: Member, method: int) -> zipfile.ZipInfo:
    seconds = int(member.mtime)
    date = time.localtime(seconds)[:6]
    if not 1980 <= date[0] <= 2107:
        date = (1980, 1, 1, 0, 0, 0)
    info = _Info(member.path + "/" * (member.kind == "folder"), date)
    info.compress_type = method
    info.create_system = 3  # Unix: external_attr has mode bits
    info.external_attr = (KINDS[member.kind] | member.mode & 0o7777) << 16 | 0x10 * (member.kind == "folder")
    if 0 <= seconds < LARGE:
        info.extra = struct.pack("<HHBi", TIMESTAMP, 5, 1, seconds)
    return info


def write_gzip(target: Path, level: int, members: Iterable[Member]) -> None:
    """Each file as a gzip member of its own, one after the other; folders and links have no place in it."""
    with target.open("wb") as file:
        for member in members:
            if member.content is None:
                continue
            name = os.fsencode(member.path).decode("latin-1").rpartition("/")[2]
            with gzip.GzipFile(name, "wb", level or 1, file, int(member.mtime)) as into:
                shutil.copyfileobj(member.content, into, BLOCK)


def write_raw(target: Path, level: int, members: Iterable[Member]) -> None:
    """The file's own bytes."""
    with target.open("wb") as file:
        for member in members:
            if member.content is None:
                raise FilesError(f"{member.path} is no file: only one file can be sent as raw")
            shutil.copyfileobj(member.content, file, BLOCK)
