"""SPDY/3.1 frames, as much of them as port-forwarding speaks: read and written, nothing decided.

kubectl tunnels them through a WebSocket. Headers are compressed by one zlib stream a direction that begins with
the protocol's dictionary.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
DATA = 0
FIN = 0x01
_VERSION = 3
_HEAD = 8


@cache
def _dictionary() -> bytes:
    return files("shipline.cluster.api").joinpath("data/spdy-dictionary.bin").read_bytes()


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `kind` is DATA or a control frame's type; `stream` is 0 where there is none."""

    kind: int
    stream: int
    flags: int = 0
    payload: bytes = b""
    headers: dict[str, str] | None = None

    @property
    def ends(self) -> bool:
        """Whether its sender is done with the stream."""
        return bool(self.flags & FIN)


class Reader:
    """Bytes in, frames out. Feed it what arrives, in order."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=_dictionary())

    def feed(self, data: bytes) -> Iterator[Frame]:
        """All frames that are complete now; ValueError when these are no SPDY frames."""
        self._buffer += data
        while len(self._buffer) >= _HEAD:
            first, second = struct.unpack_from("!II", self._buffer)
            length = second & 0xFFFFFF
            if len(self._buffer) < _HEAD + length:
                return
            payload = bytes(self._buffer[_HEAD : _HEAD + length])
            del self._buffer[: _HEAD + length]
            yield self._frame(first, second >> 24, payload)

    def _frame(self, first: int, flags: int, payload: bytes) -> Frame:
        if not first >> 31:
            return Frame(DATA, first, flags, payload)
        version, kind = first >> 16 & 0x7FFF, first & 0xFFFF
        if version != _VERSION:
            raise ValueError(f"SPDY version {version}")
        if kind == PING:
            return Frame(PING, 0, flags, payload)
        if kind in (SETTINGS, GOAWAY):
            return Frame(kind, 0, flags, payload)
        stream = struct.unpack_from("!I", payload)[0] & 0x7FFFFFFF
        skipped = {SYN_STREAM: 10, SYN_REPLY: 4, HEADERS: 4}.get(kind)
        if skipped is None:
            return Frame(kind, stream, flags, payload[4:])
        return Frame(kind, stream, flags, b"", self._headers(payload[skipped:]))

    def _headers(self, compressed: bytes) -> dict[str, str]:
        try:
            raw = self._inflate.decompress(compressed)
        except zlib.error as error:
            raise ValueError(f"SPDY headers: {error}") from None
        (count,), position = struct.unpack_from("!I", raw), 4
        texts = []
        for _ in range(2 * count):
            (length,) = struct.unpack_from("!I", raw, position)
            texts.append(raw[position + 4 : position + 4 + length].decode())
            position += 4 + length
        return {key.lower(): value for key, value in zip(texts[::2], texts[1::2], strict=True)}


class Writer:
    """Frames as bytes. One a connection, since headers share a compressor."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=_dictionary())

    def reply(self, stream: int) -> bytes:
        """SYN_REPLY without headers: the stream is taken."""
        headers = self._deflate.compress(struct.pack("!I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _control(SYN_REPLY, struct.pack("!I", stream) + headers)

    def data(self, stream: int, data: bytes, end: bool = False) -> bytes:
        """DATA; with `end` the last on this side."""
        flags = FIN if end else 0
        return struct.pack("!II", stream, flags << 24 | len(data)) + data

    def ping(self, payload: bytes) -> bytes:
        """The answer to a ping."""
        return _control(PING, payload)

    def reset(self, stream: int, status: int = 5) -> bytes:
        """RST_STREAM; 5 says that the stream is cancelled."""
        return _control(RST_STREAM, struct.pack("!II", stream, status))


def _control(kind: int, payload: bytes) -> bytes:
    return struct.pack("!HHI", 0x8000 | _VERSION, kind, len(payload)) + payload
