"""Port-forwarding: connections of a client, each carried to a port of a pod.

kubectl speaks SPDY through a WebSocket, two streams a connection (data, and an error text at its end); other
clients speak it without one. Older clients name the ports in the query and use two WebSocket channels for each.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSMsgType, web

from shipline.cluster.api import spdy
from shipline.cluster.api.errors import ApiError, bad_request
from shipline.cluster.api.exchange import Exchange
from shipline.cluster.api.streams import ByteStream, NodeStreams
from shipline.cluster.api.upgrade import RawSocket, wants_spdy

Json = dict[str, Any]

TUNNEL, CHANNELS, SPDY = "SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io", "portforward.k8s.io"
_CHUNK = 16 * 1024
_WAITING = 1024  # Chunks for a connection that doesn't read, before all on the same socket have to wait.


async def serve_portforward(exchange: Exchange, pod: Json) -> web.StreamResponse:
    """Forward until the client goes."""
    if wants_spdy(exchange.request):
        bare = RawSocket(exchange.request, (SPDY,))
        await bare.open()
        await _Tunnel(bare, exchange.streams, pod, []).run()
        return bare.response
    offered = [p.strip() for p in exchange.request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if TUNNEL not in offered and CHANNELS not in offered:
        raise bad_request(f"unable to upgrade: unsupported protocols [{' '.join(offered)}]; there is {TUNNEL}")
    ports = _ports(exchange) if TUNNEL not in offered else []
    protocols = (TUNNEL, CHANNELS)
    socket = web.WebSocketResponse(protocols=protocols, max_msg_size=0, compress=False)
    await socket.prepare(exchange.request)
    forward = _Tunnel if socket.ws_protocol == TUNNEL else _Channels
    await forward(socket, exchange.streams, pod, ports).run()
    return socket


def _ports(exchange: Exchange) -> list[int]:
    texts = [text for value in exchange.request.query.getall("ports", []) for text in value.split(",")]
    try:
        ports = [int(text) for text in texts]
    except ValueError:
        raise bad_request(f"unable to parse ports {' '.join(texts)}") from None
    if not ports or any(not 0 < port < 65536 for port in ports):
        raise bad_request("query parameter 'ports' is required: each between 1 and 65535")
    return ports


class _Forwarding:
    """What both protocols share: connections to the pod, and one writer at a time on the socket."""

    def __init__(
        self, socket: web.WebSocketResponse | RawSocket, streams: NodeStreams, pod: Json, ports: list[int]
    ) -> None:
        self.socket = socket
        self.ports = ports
        self._streams = streams
        self._pod = pod
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Carry bytes until the client goes; then close every connection."""
        try:
            await self.start()
            async for message in self.socket:
                if message.type == WSMsgType.BINARY:
                    await self.receive(message.data)
        except (ConnectionError, ValueError):
            pass
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if not self.socket.closed:
                await self.socket.close()

    async def start(self) -> None:
        """Before the first message."""

    async def receive(self, data: bytes) -> None:
        """One message of the client."""
        raise ValueError(data)

    def begin(self, work: Awaitable[None]) -> None:
        """Run something beside the reading of messages."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def connect(self, port: int) -> ByteStream:
        """A connection to the pod's port; ConnectionError with the words for the client."""
        uid = self._pod["metadata"]["uid"]
        try:
            return await self._streams.portforward(self._pod, port)
        except (OSError, ApiError) as error:
            why = (getattr(error, "strerror", None) or str(error)).lower()
            where = f'failed to connect to localhost:{port} inside namespace "{uid}"'
            raise ConnectionError(f"error forwarding port {port} to pod {uid}, uid : {where}: {why}") from None


class _Connection:
    """One forwarded connection. `inbox` holds what the client sent; None ends it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.inbox: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)
        self.data_stream = 0
        self.error_stream = 0


async def _carry(stream: ByteStream, connection: _Connection, send: Callable[[bytes], Awaitable[None]]) -> None:
    """Both directions, until the pod's side ends."""

    async def upward() -> None:
        while (data := await connection.inbox.get()) is not None:
            await stream.write(data)
        await stream.close_write()

    writer = asyncio.create_task(upward())
    try:
        while data := await stream.read():
            for start in range(0, len(data), _CHUNK):
                await send(data[start : start + _CHUNK])
    except ConnectionError:
        pass  # Reset by the pod: an end like another.
    finally:
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        await stream.close()


class _Tunnel(_Forwarding):
    """SPDY: the client opens an error and a data stream for each connection, joined by a request id."""

    async def start(self) -> None:
        self._reader, self._writer = spdy.Reader(), spdy.Writer()
        self._by_request: dict[str, _Connection] = {}
        self._by_stream: dict[int, _Connection] = {}

    async def receive(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            await self._frame(frame)

    async def _frame(self, frame: spdy.Frame) -> None:
        connection = self._by_stream.get(frame.stream)
        if frame.kind == spdy.SYN_STREAM:
            await self._opened(frame)
        elif frame.kind == spdy.PING:
            await self.socket.send_bytes(self._writer.ping(frame.payload))
        elif connection is None or frame.stream != connection.data_stream:
            return
        elif frame.kind == spdy.DATA:
            if frame.payload:
                await connection.inbox.put(frame.payload)
            if frame.ends:
                await connection.inbox.put(None)
        elif frame.kind == spdy.RST_STREAM:
            await connection.inbox.put(None)

    async def _opened(self, frame: spdy.Frame) -> None:
        headers = frame.headers or {}
        port = int(headers.get("port", "0"))
        request = headers.get("requestid", str(port))
        await self.socket.send_bytes(self._writer.reply(frame.stream))
        connection = self._by_request.setdefault(request, _Connection(port))
        self._by_stream[frame.stream] = connection
        if headers.get("streamtype") == "error":
            connection.error_stream = frame.stream
        else:
            connection.data_stream = frame.stream
        if connection.data_stream and connection.error_stream:
            del self._by_request[request]
            self.begin(self._forward(connection))

    async def _forward(self, connection: _Connection) -> None:
        async def send(data: bytes) -> None:
            await self.socket.send_bytes(self._writer.data(connection.data_stream, data))

        complaint = b""
        try:
            await _carry(await self.connect(connection.port), connection, send)
        except ConnectionError as error:
            complaint = str(error).encode()
        try:
            await self.socket.send_bytes(self._writer.data(connection.data_stream, b"", end=True))
            await self.socket.send_bytes(self._writer.data(connection.error_stream, complaint, end=True))
        except ConnectionError:
            pass  # The client has gone first.
        finally:
            self._by_stream.pop(connection.data_stream, None)
            self._by_stream.pop(connection.error_stream, None)


class _Channels(_Forwarding):
    """WebSocket channels: for the n-th port 2n carries data and 2n+1 an error; each begins with its port."""

    async def start(self) -> None:
        self._connections = [_Connection(port) for port in self.ports]
        for index, connection in enumerate(self._connections):
            for channel in (2 * index, 2 * index + 1):
                await self.socket.send_bytes(bytes([channel]) + struct.pack("<H", connection.port))
            self.begin(self._forward(index, connection))

    async def receive(self, data: bytes) -> None:
        if len(data) > 1 and data[0] % 2 == 0 and data[0] // 2 < len(self._connections):
            await self._connections[data[0] // 2].inbox.put(data[1:])

    async def _forward(self, index: int, connection: _Connection) -> None:
        async def send(data: bytes) -> None:
            await self.socket.send_bytes(bytes([2 * index]) + data)

        try:
            await _carry(await self.connect(connection.port), connection, send)
        except ConnectionError as error:
            await self.socket.send_bytes(bytes([2 * index + 1]) + str(error).encode())
        await self.socket.close()
