"""exec and attach over SPDY: each channel is a stream of its own, which the client opens and names."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from shipline.cluster.api import spdy
from shipline.cluster.api.channels import CLOSE, RESIZE, STATUS, STDIN
from shipline.cluster.api.exchange import Exchange
from shipline.cluster.api.streams import STDERR, STDOUT
from shipline.cluster.api.upgrade import RawSocket

PROTOCOLS = ("v4.channel.k8s.io",)
_NAMES = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "error": STATUS, "resize": RESIZE}
_OPENED_WITHIN = 30.0  # Seconds, as Kubernetes gives a client.
_CHUNK = 1 << 20
_LINGER = 1.0  # Seconds that the client has to close the connection itself.


class SpdyClient:
    """The client of one exec or attach."""

    def __init__(self, exchange: Exchange, wants: dict[str, bool]) -> None:
        self._socket = RawSocket(exchange.request, PROTOCOLS)
        self.response: web.StreamResponse = self._socket.response
        self._wanted = {STATUS} | {_NAMES[name] for name in ("stdin", "stdout", "stderr") if wants[name]}
        self._ids: dict[int, int] = {}
        self._channels: dict[int, int] = {}
        self._reader, self._writer = spdy.Reader(), spdy.Writer()
        self._early: list[tuple[int, bytes]] = []

    async def open(self) -> None:
        """Upgrades, and waits until the client has opened its streams. ConnectionError when it doesn't."""
        await self._socket.open()
        try:
            async with asyncio.timeout(_OPENED_WITHIN):
                async for message in self._socket:
                    self._early += await self._taken(message.data)
                    if self._wanted <= self._ids.keys():
                        return
        except (TimeoutError, ValueError) as error:
            await self._socket.close()
            raise ConnectionResetError(str(error)) from None
        raise ConnectionResetError("the client has gone")

    async def messages(self) -> AsyncIterator[tuple[int, bytes]]:
        """What the client sends: a channel's number and bytes. CLOSE names the channel that has ended."""
        for early in self._early:
            yield early
        try:
            async for message in self._socket:
                for found in await self._taken(message.data):
                    yield found
        except ValueError:
            return

    async def send(self, channel: int, data: bytes) -> None:
        for start in range(0, len(data), _CHUNK):
            await self._socket.send_bytes(self._writer.data(self._ids[channel], data[start : start + _CHUNK]))

    async def finish(self, status: dict[str, Any]) -> None:
        """The final Status, the end of all streams, and of the connection."""
        if self._socket.closed:
            return
        text = json.dumps(status, separators=(",", ":")).encode()
        last = self._writer.data(self._ids[STATUS], text, end=True)
        for channel in (STDOUT, STDERR):
            if channel in self._ids:
                last += self._writer.data(self._ids[channel], b"", end=True)
        await self._socket.send_bytes(last)
        try:
            async with asyncio.timeout(_LINGER):
                async for _ in self._socket:
                    pass
        except TimeoutError:
            pass
        await self._socket.close()

    async def _taken(self, data: bytes) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        for frame in self._reader.feed(data):
            if frame.kind == spdy.PING:
                await self._socket.send_bytes(self._writer.ping(frame.payload))
            elif frame.kind == spdy.SYN_STREAM:
                await self._opened(frame)
            elif frame.kind in (spdy.DATA, spdy.RST_STREAM) and frame.stream in self._channels:
                channel = self._channels[frame.stream]
                if frame.kind == spdy.DATA and frame.payload:
                    found.append((channel, frame.payload))
                if frame.kind == spdy.RST_STREAM or frame.ends:
                    found.append((CLOSE, bytes([channel])))
        return found

    async def _opened(self, frame: spdy.Frame) -> None:
        channel = _NAMES.get((frame.headers or {}).get("streamtype", ""))
        if channel is None or channel in self._ids:
            await self._socket.send_bytes(self._writer.reset(frame.stream, 3))
            return
        self._ids[channel], self._channels[frame.stream] = frame.stream, channel
        await self._socket.send_bytes(self._writer.reply(frame.stream))
