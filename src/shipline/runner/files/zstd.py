"""Zstandard, and members of a zip file that are packed with it (gitlab-runner's `zipzstd`): zipfile cannot."""

from __future__ import annotations

import zipfile
import zlib
from typing import IO

from shipline.runner.files.members import FilesError, Readable

METHOD = 93  # of a zip file's members
MAGIC = b"\x28\xb5\x2f\xfd"
LEVELS = {"fastest": 1, "fast": 1, "default": 3, "slow": 7, "slowest": 11}
BLOCK = 1 << 20
LARGEST_WINDOW = 1 << 27  # bytes that unpacking may hold in memory


def compressed(data: bytes, level: int) -> bytes:
    """A small member's content."""
    import zstandard

    return zstandard.ZstdCompressor(level=level).compress(data)


def reader(stream: IO[bytes] | Readable) -> IO[bytes]:
    """The stream, unpacked. What is wrong with it is a zstandard.ZstdError."""
    import zstandard

    unpacker = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
    return unpacker.stream_reader(stream, read_across_frames=True, closefd=False)  # type: ignore[arg-type]


def error() -> type[Exception]:
    """What reading raises."""
    import zstandard

    return zstandard.ZstdError


def write_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, content: Readable, level: int) -> None:
    """Adds a large member to a zip file; `info.file_size` says about how large it is."""
    import zstandard

    file = archive.fp
    assert file is not None
    large = info.file_size >= 1 << 31
    info.header_offset = file.tell()
    info.CRC = info.compress_size = 0
    file.write(info.FileHeader(large))
    begin = file.tell()
    packer = zstandard.ZstdCompressor(level=level).compressobj()
    info.file_size = 0
    while data := content.read(BLOCK):
        info.file_size += len(data)
        info.CRC = zlib.crc32(data, info.CRC)
        file.write(packer.compress(data))
    file.write(packer.flush())
    end = file.tell()
    info.compress_size = end - begin
    file.seek(info.header_offset)
    file.write(info.FileHeader(large))  # as long as before: now with the checksum and the size
    file.seek(end)
    archive.filelist.append(info)
    archive.NameToInfo[info.filename] = info
    archive.start_dir = end
    archive._didModify = True  # type: ignore[attr-defined]


class Bounded:
    """The next `size` bytes of a stream."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._stream.read(wanted)
        self._left -= len(data)
        return data


class Checked:
    """A member's content, unpacked. FilesError where it is not what was packed."""

    def __init__(self, stream: IO[bytes], info: zipfile.ZipInfo) -> None:
        self._reader = reader(Bounded(stream, info.compress_size))
        self._info = info
        self._sum = 0
        self._length = 0

    def read(self, size: int = -1, /) -> bytes:
        try:
            data = self._reader.read(size)
        except error() as wrong:
            raise FilesError(f"{self._info.filename!r} cannot be unpacked: {wrong}") from None
        self._sum = zlib.crc32(data, self._sum)
        self._length += len(data)
        ended = (self._length, self._sum) == (self._info.file_size, self._info.CRC)
        if self._length > self._info.file_size or (not ended and (not data or size < 0)):
            raise FilesError(f"wrong checksum of {self._info.filename!r}")
        return data

    def close(self) -> None:
        self._reader.close()
