"""Says whether an archive is as it was made: a checksum of all its bytes, kept as a zip file's comment, or in a
last frame that readers of Zstandard pass over.

Checked before anything is unpacked, so that a damaged cache leaves no half of itself in a job's project. Archives
of other runners have no seal; theirs are as good as their own checks.
"""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path
from typing import IO

from shipline.runner.files.zstd import MAGIC

BLOCK = 1 << 20
END = struct.Struct("<4s4H2LH")
_SEAL = re.compile(rb"shipline-crc32:([0-9a-f]{8})\Z")
SEALED = len(b"shipline-crc32:") + 8
FRAME = b"\x50\x2a\x4d\x18" + SEALED.to_bytes(4, "little")


def seal(archive: Path) -> None:
    """Writes the seal of an archive that has none yet; a zip file has no comment either."""
    with archive.open("r+b") as file:
        if file.read(len(MAGIC)) == MAGIC:
            checksum = _checksum(file, file.seek(0, 2))
            file.seek(0, 2)
            file.write(FRAME + b"shipline-crc32:%08x" % checksum)
            return
        length = file.seek(0, 2) - END.size
        comment = b"shipline-crc32:%08x" % _checksum(file, length)
        file.seek(length)
        *fields, _ = END.unpack(file.read(END.size))
        file.seek(length)
        file.write(END.pack(*fields, len(comment)) + comment)


def is_damaged(file: IO[bytes]) -> bool:
    """Whether the archive has a seal that does not fit. The file is at its start afterwards."""
    try:
        size = file.seek(0, 2)
        if size < END.size + SEALED:
            return False
        file.seek(0)
        before = len(FRAME) if file.read(len(MAGIC)) == MAGIC else END.size
        file.seek(size - SEALED)
        found = _SEAL.match(file.read(SEALED))
        return found is not None and int(found[1], 16) != _checksum(file, size - SEALED - before)
    finally:
        file.seek(0)


def _checksum(file: IO[bytes], length: int) -> int:
    """Of the first `length` bytes."""
    file.seek(0)
    checksum = 0
    while length > 0 and (block := file.read(min(length, BLOCK))):
        checksum = zlib.crc32(block, checksum)
        length -= len(block)
    return checksum
