"""A connection that leaves HTTP for SPDY/3.1: what GitLab's runner and older clients ask exec, attach and
port-forward for. Afterwards it carries plain bytes, which are written and read like a WebSocket's messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from aiohttp import WSMessage, WSMsgType, web

from shipline.cluster.api.errors import ApiError

_VERSION = "X-Stream-Protocol-Version"
_SPDY = "SPDY/3.1"
_WAITING = 64  # Pieces of input that nobody has read, before the client has to wait.


def wants_spdy(request: web.BaseRequest) -> bool:
    """Whether the client asks to go on in SPDY."""
    asked = request.headers.get("Upgrade", "").lower() == _SPDY.lower()
    return asked and "upgrade" in request.headers.get("Connection", "").lower()


class RawSocket:
    """The connection, going to the first of `protocols` that the client offers; ApiError 403 without one.

    `open` it, iterate for what comes, `send_bytes`, `close`.
    """

    def __init__(self, request: web.BaseRequest, protocols: Sequence[str]) -> None:
        offered = [each.strip() for line in request.headers.getall(_VERSION, []) for each in line.split(",")]
        chosen = next((protocol for protocol in protocols if protocol in offered), None)
        if chosen is None:
            message = f"unable to upgrade: unable to negotiate protocol: client supports {offered}, server accepts"
            raise ApiError(403, "Forbidden", f"{message} {list(protocols)}")
        headers = {"Connection": "Upgrade", "Upgrade": _SPDY, _VERSION: chosen}
        self.response = web.StreamResponse(status=101, headers=headers)
        self.closed = False
        self._request = request
        self._transport = request.transport
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """From now on the connection is no HTTP any more."""
        self.response.force_close()
        self._request.protocol.set_parser(cast(Any, self))
        await self.response.prepare(self._request)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """What the client has sent; called by the HTTP server."""
        self._waiting.put_nowait(data)
        if self._waiting.qsize() >= _WAITING and self._transport is not None:
            self._transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        """The client has gone; called by the HTTP server."""
        self.closed = True
        self._waiting.put_nowait(b"")

    def set_exception(self, error: BaseException, cause: BaseException | None = None) -> None:
        """The connection has broken; called by the HTTP server."""
        self.feed_eof()

    def __aiter__(self) -> RawSocket:
        return self

    async def __anext__(self) -> WSMessage:
        data = await self._waiting.get()
        if not data:
            raise StopAsyncIteration
        if self._waiting.qsize() < _WAITING and self._transport is not None:
            self._transport.resume_reading()
        return WSMessage(WSMsgType.BINARY, data, None)

    async def send_bytes(self, data: bytes) -> None:
        """Send; ConnectionError when the client has gone."""
        if self.closed:
            raise ConnectionResetError("the client has gone")
        async with self._writing:
            await self.response.write(data)

    async def close(self) -> None:
        """The server's end of it."""
        if not self.closed:
            self.closed = True
            if self._transport is not None:
                self._transport.close()
