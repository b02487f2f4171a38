"""A WebSocket's client side (RFC 6455): whole binary messages both ways, pings so that a dead peer is noticed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence

from shipline.runner.kubernetes.http import Answer, Connection, HttpError, Server

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
PING_EVERY = 20.0  # seconds
SILENCE = 45.0  # seconds without any frame until the peer counts as gone


class Refused(Exception):
    """The server answered with something else than a WebSocket; its status and body are here."""

    def __init__(self, answer: Answer, body: bytes) -> None:
        super().__init__(f"HTTP status {answer.status}")
        self.status = answer.status
        self.body = body


class WebSocket:
    """`send` from one task at a time, `messages` once, `close` at last."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._heard = asyncio.get_running_loop().time()
        self._pinging = asyncio.create_task(self._ping())

    @classmethod
    async def connect(
        cls, server: Server, path: str, headers: Mapping[str, str], protocols: Sequence[str]
    ) -> WebSocket:
        """Refused when the server doesn't want to; OSError when there is no connection."""
        key = base64.b64encode(os.urandom(16))
        wanted = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key.decode(),
            "Sec-WebSocket-Protocol": ", ".join(protocols),
        }
        connection = await server.open()
        answer, _ = await server.ask("GET", path, {**headers, **wanted}, connection=connection)
        if answer.status != 101:
            body = await answer.read()
            connection.close()
            raise Refused(answer, body)
        expected = base64.b64encode(hashlib.sha1(key + MAGIC, usedforsecurity=False).digest()).decode()
        if answer.headers.get("sec-websocket-accept") != expected:
            connection.close()
            raise HttpError("the server does not speak WebSocket")
        return cls(connection)

    async def send(self, data: bytes) -> None:
        """One binary message."""
        self._write(BINARY, data)
        await self._connection.writer.drain()

    def _write(self, kind: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = bytes([0x80 | kind, 0x80 | size])
        elif size < 1 << 16:
            head = bytes([0x80 | kind, 0x80 | 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x80 | kind, 0x80 | 127]) + size.to_bytes(8, "big")
        mask = os.urandom(4)
        self._connection.writer.write(head + mask + masked(data, mask))

    async def messages(self) -> AsyncIterator[bytes]:
        """Messages until the server closes; HttpError when the connection breaks off."""
        reader = self._connection.reader
        parts: list[bytes] = []
        try:
            while True:
                first, second = await reader.readexactly(2)
                size = second & 0x7F
                if size >= 126:
                    size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
                mask = await reader.readexactly(4) if second & 0x80 else b""
                data = await reader.readexactly(size)
                if mask:
                    data = masked(data, mask)
                self._heard = asyncio.get_running_loop().time()
                kind = first & 0x0F
                if kind == CLOSE:
                    with contextlib.suppress(OSError):
                        self._write(CLOSE, data[:2])
                    return
                if kind == PING:
                    self._write(PONG, data)
                elif kind in (CONTINUATION, TEXT, BINARY):
                    parts.append(data)
                    if first & 0x80:
                        yield parts[0] if len(parts) == 1 else b"".join(parts)
                        parts = []
        except (asyncio.IncompleteReadError, OSError):
            raise HttpError("the connection broke") from None

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY)
            if asyncio.get_running_loop().time() - self._heard > SILENCE:
                self._connection.close()
                return
            self._write(PING, b"")

    async def close(self) -> None:
        """Says goodbye and lets go; waits for nothing."""
        self._pinging.cancel()
        with contextlib.suppress(OSError, RuntimeError):
            self._write(CLOSE, (1000).to_bytes(2, "big"))
            self._connection.writer.close()


def masked(data: bytes, mask: bytes) -> bytes:
    """`data` XOR the mask over and over, as one operation on large numbers."""
    size = len(data)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")).to_bytes(size, "little")
