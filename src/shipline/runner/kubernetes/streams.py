"""A command's three streams in a container, over one WebSocket, by `v5.channel.k8s.io` or `v4.channel.k8s.io`.

Each message begins with a byte that says which stream it belongs to; the last, on ERROR, is a Status that says how
the command ended.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from shipline.runner.kubernetes.client import Client
from shipline.runner.kubernetes.errors import Unreachable
from shipline.runner.kubernetes.websocket import WebSocket

STDIN, STDOUT, STDERR, ERROR = 0, 1, 2, 3
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
LARGEST = 1 << 18  # bytes of one message to stdin


class Exec:
    """A running command. `output` once; `write` from one task at a time until `close`.

    `status` is its exit status once it ended; None before, and where the server does not tell.
    """

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self.status: int | None = None

    @classmethod
    async def start(cls, client: Client, namespace: str, pod: str, container: str, command: list[str]) -> Exec:
        """Starts `command`. ApiError when the server refuses, Unreachable when the connection fails."""
        query = [("container", container), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in command]
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        return cls(await client.socket(path, query, PROTOCOLS))

    async def write(self, data: bytes) -> None:
        """Sends to stdin. Unreachable when the connection is gone."""
        try:
            for start in range(0, len(data), LARGEST):
                await self._socket.send(bytes([STDIN]) + data[start : start + LARGEST])
        except (OSError, RuntimeError) as error:
            raise Unreachable(f"exec stream: {error}") from None

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """(STDOUT or STDERR, bytes) as they come. Ends when the command ended; Unreachable when the stream
        broke."""
        try:
            async for message in self._socket.messages():
                if not message:
                    continue
                if message[0] == ERROR:
                    self.status = _exit_status(message[1:])
                    return
                if len(message) > 1:
                    yield message[0], message[1:]
        except OSError as error:
            raise Unreachable(f"exec stream: {error}") from None
        raise Unreachable("the exec stream was closed")

    async def close(self) -> None:
        await self._socket.close()


def _exit_status(text: bytes) -> int | None:
    """The exit status that a Status tells of."""
    try:
        told = msgspec.json.decode(text)
        if told["status"] == "Success":
            return 0
        causes = told["details"]["causes"]
        return next(int(cause["message"]) for cause in causes if cause["reason"] == "ExitCode")
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, StopIteration):
        return None
