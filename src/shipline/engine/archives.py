"""Archives of jobs on this machine's disk: what is in one, read where it stands, and one more at another place.

Nothing is ever unpacked, so nothing in an archive can be written anywhere.
"""

from __future__ import annotations

import contextlib
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zipfile import ZipFile

LARGEST_TEXT = 1 << 20
"""Bytes of a file that people read."""


def names(archive: Path) -> frozenset[str]:
    """The regular files of an archive; links are none of them. None where there is no archive."""
    try:
        status = archive.stat()
    except FileNotFoundError:
        return frozenset()
    return _listed(str(archive), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _listed(archive: str, changed: int, size: int) -> frozenset[str]:
    with _opened(archive) as opened:
        return frozenset(
            info.filename
            for info in opened.infolist()
            if not info.is_dir() and (info.external_attr >> 28) in (0, 8)
        )


def content(archive: Path, name: str) -> bytes:
    """One file of an archive."""
    with _opened(archive) as opened:
        return opened.read(name)


def text(archive: Path, path: str) -> str | None:
    """A text file of an archive; None when it is not there, or too large for a text that people read."""
    name = path.removeprefix("./")
    if name not in names(archive):
        return None
    with _opened(archive) as opened:
        if opened.getinfo(name).file_size > LARGEST_TEXT:
            return None
        return opened.read(name).decode(errors="replace")


def copy(source: Path, to: Path) -> None:
    """The archive at `to`, too: the same file where the disk is the same, which nobody changes, else a copy."""
    with contextlib.suppress(OSError):
        to.unlink(missing_ok=True)
        os.link(source, to)
        return
    import shutil

    shutil.copyfile(source, to)


def _opened(archive: Path | str) -> ZipFile:
    from zipfile import ZipFile  # takes 30 ms to import, and most runs have no archive

    return ZipFile(archive)
