"""The logs of jobs as files: `traces/<id // 1000>/<id>`. What was acknowledged is in the file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from shipline.engine.coverage import coverage
from shipline.engine.trace_file import read_from, write_at
from shipline.server.depot import Depot

BLOCK = 1 << 20


class Traces:
    """Logs below one folder; those that have ended may be in a bucket."""

    def __init__(self, home: Path, depot: Depot | None = None) -> None:
        self.home = home
        self._depot = depot or Depot(home.parent, None, 0, 0.0)

    def path(self, job_id: int) -> Path:
        return self.home / str(job_id // 1000) / str(job_id)

    def here(self, job_id: int) -> Path:
        """Where the log can be read."""
        return self._depot.here(self.path(job_id))

    async def bring(self, job_id: int) -> None:
        """Has the log here, when it has been moved away since its job ended. Raises ObjectsError."""
        await self._depot.bring(self.path(job_id))

    def size(self, job_id: int) -> int:
        """Bytes stored; 0 when there is no log."""
        try:
            return self.here(job_id).stat().st_size
        except FileNotFoundError:
            return 0

    def write(self, job_id: int, offset: int, data: bytes) -> int:
        """Adds at `offset`, unless that leaves a gap; gives the bytes now stored."""
        return write_at(self.path(job_id), offset, data)

    def read(self, job_id: int, start: int = 0, limit: int | None = None) -> bytes:
        return read_from(self.here(job_id), start, limit)

    async def stream(self, job_id: int, size: int) -> AsyncIterator[bytes]:
        """The first `size` bytes, which must be there; a log may grow while it is read."""
        start = 0
        while start < size and (
            data := await asyncio.to_thread(self.read, job_id, start, min(BLOCK, size - start))
        ):
            start += len(data)
            yield data

    def erase(self, job_id: int) -> None:
        self._depot.doom(self.path(job_id))


def coverage_of(pattern: str, traces: Traces, job_id: int) -> float | None:
    """The last number that the pattern finds in a log of any length, which is read from its end in blocks."""
    end, rest = traces.size(job_id), b""
    while end:
        start = max(end - BLOCK, 0)
        first, line_end, lines = (traces.read(job_id, start, end - start) + rest).partition(b"\n")
        if not start:
            return coverage(pattern, first + line_end + lines)
        if (found := coverage(pattern, lines)) is not None:
            return found
        end, rest = start, (first + line_end)[:BLOCK]
    return None
