"""The log as written so far: in memory while small, then in an unnamed file; any part can be sent again."""

from __future__ import annotations

import os
import zlib
from typing import IO

IN_MEMORY = 1 << 20


class Spool:
    """Bytes that are only ever added to, and their CRC-32. `limit` cuts the log there, once, with a notice."""

    def __init__(self, limit: int) -> None:
        self.size = 0
        self.crc = 0
        self._limit = limit
        self._full = False
        self._memory = bytearray()
        self._file: IO[bytes] | None = None

    def append(self, data: bytes) -> None:
        if self._full or not data:
            return
        if self.size + len(data) > self._limit:
            self._full = True
            data = data[: self._limit - self.size].decode(errors="ignore").encode() + _notice(self._limit)
        if self._file is None and self.size + len(data) > IN_MEMORY:
            import tempfile

            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the log
            self._file.write(self._memory)
            self._memory.clear()
        if self._file is None:
            self._memory += data
        else:
            self._file.write(data)
        self.size += len(data)
        self.crc = zlib.crc32(data, self.crc)

    def read(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`."""
        if self._file is None:
            return bytes(self._memory[offset : offset + count])
        self._file.flush()
        return os.pread(self._file.fileno(), count, offset)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _notice(limit: int) -> bytes:
    return (
        f"\n\x1b[33;1mJob's log exceeded limit of {limit} bytes.\n"
        "Job execution will continue but no more output will be collected.\x1b[0;m\n"
    ).encode()
