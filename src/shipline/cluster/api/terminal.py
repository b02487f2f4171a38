"""exec and attach, over a WebSocket or SPDY. In a WebSocket each frame begins with its channel's number.

0 standard input, 1 output, 2 errors, 3 the final Status, 4 the terminal's size; 255 (in v5) closes the channel
that it names.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from shipline.cluster.api.channels import CLOSE, RESIZE, STATUS, STDIN
from shipline.cluster.api.errors import ApiError, bad_request
from shipline.cluster.api.exchange import Exchange
from shipline.cluster.api.streams import STDERR, STDOUT, ContainerStream
from shipline.cluster.api.upgrade import wants_spdy

Json = dict[str, Any]

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
# Chunks of input that wait for a process that doesn't read. Beyond it the client has to wait, and then its pings
# go unanswered too, so there is room for a while.
_WAITING_INPUT = 1024


async def serve_terminal(exchange: Exchange, pod: Json, container: str, kind: str) -> web.StreamResponse:
    """Run a command (`exec`) or join the container's process (`attach`)."""
    wants = {name: exchange.flag(name) for name in ("stdin", "stdout", "stderr", "tty")}
    command = exchange.request.query.getall("command", [])
    if kind == "exec" and not command:
        raise bad_request("you must specify at least 1 command for the container")
    if not (wants["stdin"] or wants["stdout"] or wants["stderr"]):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    client = _client(exchange, wants)
    try:
        await client.open()
        stream = await _open(exchange, pod, container, kind, command, wants)
        try:
            status = await _pump(client, stream, wants, ends_well=kind == "attach")
        finally:
            await stream.close()
        await client.finish(status)
    except ApiError as error:
        await client.finish(_told(error, kind))
    except ConnectionError:
        pass
    return client.response


class Client(Protocol):
    """Who has asked: opened once, then read and written, and told the end."""

    @property
    def response(self) -> web.StreamResponse: ...

    async def open(self) -> None: ...

    def messages(self) -> AsyncIterator[tuple[int, bytes]]:
        """Channels and what comes on them."""
        ...

    async def send(self, channel: int, data: bytes) -> None: ...

    async def finish(self, status: Json) -> None: ...


def _client(exchange: Exchange, wants: dict[str, bool]) -> Client:
    if not wants_spdy(exchange.request):
        return _WebSocketClient(exchange)
    from shipline.cluster.api.spdyterminal import SpdyClient

    return SpdyClient(exchange, wants)


class _WebSocketClient:
    def __init__(self, exchange: Exchange) -> None:
        offered = [p.strip() for p in exchange.request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        if not any(protocol in PROTOCOLS for protocol in offered):
            shown = f"[{' '.join(offered)}]; there are {' '.join(PROTOCOLS)}"
            raise bad_request(f"unable to upgrade: unsupported protocols {shown}")
        self._request = exchange.request
        self.response = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0, compress=False)

    async def open(self) -> None:
        await self.response.prepare(self._request)
        await self.send(STDOUT, b"")

    async def messages(self) -> AsyncIterator[tuple[int, bytes]]:
        async for message in self.response:
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                continue
            data = message.data if isinstance(message.data, bytes) else message.data.encode()
            if data:
                yield data[0], data[1:]

    async def send(self, channel: int, data: bytes) -> None:
        await self.response.send_bytes(bytes([channel]) + data)

    async def finish(self, status: Json) -> None:
        if not self.response.closed:
            await self.send(STATUS, json.dumps(status, separators=(",", ":")).encode())
            await self.response.close()


async def _open(
    exchange: Exchange, pod: Json, container: str, kind: str, command: list[str], wants: dict[str, bool]
) -> ContainerStream:
    if kind == "exec":
        return await exchange.streams.exec(pod, container, command, tty=wants["tty"], stdin=wants["stdin"])
    return await exchange.streams.attach(pod, container, tty=wants["tty"], stdin=wants["stdin"])


async def _pump(client: Client, stream: ContainerStream, wants: dict[str, bool], ends_well: bool) -> Json:
    """Carry both directions until the process ends or the client goes; the final Status."""
    stdin: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING_INPUT)
    reader = asyncio.create_task(_from_client(client, stream, stdin if wants["stdin"] else None))
    feeder = asyncio.create_task(_feed(stream, stdin))
    writer = asyncio.create_task(_to_client(client, stream, wants))
    try:
        await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
        if not writer.done():
            raise ConnectionResetError("the client has gone")
        writer.result()
        code = await stream.exit_code()
    finally:
        for task in (reader, feeder, writer):
            task.cancel()
        await asyncio.gather(reader, feeder, writer, return_exceptions=True)
    return _succeeded() if code == 0 or ends_well else _failed(code)


async def _feed(stream: ContainerStream, stdin: asyncio.Queue[bytes | None]) -> None:
    """Write what waits, in order; None ends it."""
    while (data := await stdin.get()) is not None:
        await stream.write(data)
    await stream.close_stdin()


async def _from_client(client: Client, stream: ContainerStream, stdin: asyncio.Queue[bytes | None] | None) -> None:
    async for channel, data in client.messages():
        if channel == STDIN and stdin is not None and data:
            await stdin.put(data)
        elif channel == CLOSE and stdin is not None and data[:1] == bytes([STDIN]):
            await stdin.put(None)
        elif channel == RESIZE:
            await _resize(stream, data)


async def _resize(stream: ContainerStream, raw: bytes) -> None:
    try:
        size = json.loads(raw)
        width, height = int(size["Width"]), int(size["Height"])
    except (ValueError, KeyError, TypeError):
        return
    if width and height:
        await stream.resize(width, height)


async def _to_client(client: Client, stream: ContainerStream, wants: dict[str, bool]) -> None:
    async for channel, data in stream.output():
        if wants["stderr" if channel == STDERR else "stdout"] and data:
            await client.send(channel, data)


def _succeeded() -> Json:
    return {"metadata": {}, "status": "Success"}


def _failed(code: int) -> Json:
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: command terminated with exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _told(error: ApiError, kind: str) -> Json:
    """An error of the node, in the words in which Kubernetes passes such errors on."""
    if error.status_code != 500:
        return {key: value for key, value in error.status().items() if key not in ("kind", "apiVersion")}
    doing = "error executing command in container" if kind == "exec" else "error attaching to container"
    inner = f"Internal error occurred: {doing}: {error.message}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {inner}",
        "reason": "InternalError",
        "details": {"causes": [{"message": inner}]},
        "code": 500,
    }
