"""Adds many small members to a zip file: compressed by two threads, a batch at a time, and written in their order.

zipfile's own way is as good for large members, but takes as long to begin and end one as to compress a small one,
and compresses one after the other.
"""

from __future__ import annotations

import collections
import zipfile
import zlib
from concurrent.futures import Future, ThreadPoolExecutor

from shipline.runner.files import zstd

SMALL = 256 << 10  # bytes; larger members are not for here
BATCH = 64  # members
HEAVY = 1 << 20  # bytes of a batch
THREADS = 2
WAITING = 4  # batches

Batch = list[tuple[zipfile.ZipInfo, bytes]]


class Deflating:
    """Between the first `add` and `flush`, nothing else is written to the archive. `level` is the method's own."""

    def __init__(self, archive: zipfile.ZipFile, level: int) -> None:
        self._archive = archive
        self._level = level
        self._batch: Batch = []
        self._weight = 0
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: collections.deque[Future[Batch]] = collections.deque()

    def add(self, info: zipfile.ZipInfo, data: bytes) -> None:
        """One member; `info` says how it is to be compressed."""
        self._batch.append((info, data))
        self._weight += len(data)
        if len(self._batch) >= BATCH or self._weight >= HEAVY:
            self._pool = self._pool or ThreadPoolExecutor(THREADS, "deflating")
            self._waiting.append(self._pool.submit(_deflated, self._batch, self._level))
            self._batch, self._weight = [], 0
            while len(self._waiting) > WAITING:
                self._write(self._waiting.popleft().result())

    def flush(self) -> None:
        """Everything that was added is in the archive."""
        while self._waiting:
            self._write(self._waiting.popleft().result())
        self._write(_deflated(self._batch, self._level))
        self._batch, self._weight = [], 0

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def _write(self, batch: Batch) -> None:
        """Adds members as zipfile adds a folder: header, content, and a place in the directory at the end."""
        archive = self._archive
        assert archive.fp is not None
        place = archive.fp.tell()
        for info, data in batch:
            info.header_offset = place
            header = info.FileHeader(False)
            archive.fp.write(header + data)
            place += len(header) + len(data)
            archive.filelist.append(info)
            archive.NameToInfo[info.filename] = info
        archive.start_dir = place
        archive._didModify = True  # type: ignore[attr-defined]


def _deflated(batch: Batch, level: int) -> Batch:
    """The members' contents as they are to be written; their infos say the rest."""
    done = []
    for info, data in batch:
        info.file_size, info.CRC = len(data), zlib.crc32(data)
        if info.compress_type != zipfile.ZIP_STORED:
            packed = _packed(data, info.compress_type, level)
            if len(packed) < len(data):
                data = packed
            else:
                info.compress_type = zipfile.ZIP_STORED
        info.compress_size = len(data)
        done.append((info, data))
    return done


def _packed(data: bytes, method: int, level: int) -> bytes:
    if method == zstd.METHOD:
        return zstd.compressed(data, level)
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()
