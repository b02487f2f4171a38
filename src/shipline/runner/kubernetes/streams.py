"""A command's three streams in a container, over one WebSocket, by `v5.channel.k8s.io` or `v4.channel.k8s.io`.

Each message begins with a byte that says which stream it belongs to; the last, on ERROR, is a Status that says how
the command ended.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from shipline.runner.kubernetes.client import NETWORK, Client
from shipline.runner.kubernetes.errors import ApiError, Unreachable

STDIN, STDOUT, STDERR, ERROR = 0, 1, 2, 3
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
LARGEST = 1 << 18  # bytes of one message to stdin
PING = 20.0  # seconds


class Exec:
    """A running command. `output` once; `write` at any time until `close`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    @classmethod
    async def start(cls, client: Client, namespace: str, pod: str, container: str, command: list[str]) -> Exec:
        """Starts `command`. ApiError when the server refuses, Unreachable when the connection fails."""
        session = await client.session()
        query = [("container", container), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in command]
        url = client.url(f"/api/v1/namespaces/{namespace}/pods/{pod}/exec")
        options: dict[str, Any] = await client.options()
        options.pop("server_hostname", None)
        try:
            socket = await session.ws_connect(
                url, params=query, protocols=PROTOCOLS, max_msg_size=0, heartbeat=PING, compress=0, **options
            )
        except aiohttp.WSServerHandshakeError as error:
            raise ApiError(
                error.status, "", f"exec in container {container} of pod {pod}: {error.message}"
            ) from None
        except NETWORK as error:
            raise Unreachable(f"exec in pod {pod}: {error}") from None
        return cls(socket)

    async def write(self, data: bytes) -> None:
        """Sends to stdin. Unreachable when the connection is gone."""
        view = memoryview(data)
        try:
            for start in range(0, len(view), LARGEST):
                await self._socket.send_bytes(bytes([STDIN]) + view[start : start + LARGEST])
        except (*NETWORK, RuntimeError) as error:
            raise Unreachable(f"exec stream: {error}") from None

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """(STDOUT or STDERR, bytes) as they come. Ends when the command ended; Unreachable when the stream
        broke."""
        ended = False
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.BINARY or len(message.data) < 2:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel == ERROR:
                ended = True
            else:
                yield channel, data
        if not ended:
            raise Unreachable("the exec stream broke")

    async def close(self) -> None:
        await self._socket.close()
