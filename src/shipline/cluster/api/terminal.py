"""exec and attach over a WebSocket: each frame begins with its channel's number.

0 standard input, 1 output, 2 errors, 3 the final Status, 4 the terminal's size; 255 (in v5) closes the channel
that it names.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import WSMsgType, web

from shipline.cluster.api.errors import ApiError, bad_request
from shipline.cluster.api.exchange import Exchange
from shipline.cluster.api.streams import STDERR, STDOUT, ContainerStream

Json = dict[str, Any]

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDIN, _STATUS, _RESIZE, _CLOSE = 0, 3, 4, 255
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
    socket = await _upgraded(exchange)
    try:
        await socket.send_bytes(bytes([STDOUT]))
        stream = await _open(exchange, pod, container, kind, command, wants)
        try:
            status = await _pump(socket, stream, wants, ends_well=kind == "attach")
        finally:
            await stream.close()
    except ApiError as error:
        status = _told(error, kind)
    except ConnectionError:
        return socket
    if not socket.closed:
        await socket.send_bytes(bytes([_STATUS]) + json.dumps(status, separators=(",", ":")).encode())
        await socket.close()
    return socket


async def _upgraded(exchange: Exchange) -> web.WebSocketResponse:
    offered = [p.strip() for p in exchange.request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if not any(protocol in PROTOCOLS for protocol in offered):
        shown = " ".join(offered)
        raise bad_request(f"unable to upgrade: unsupported protocols [{shown}]; there are {' '.join(PROTOCOLS)}")
    socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0, compress=False)
    await socket.prepare(exchange.request)
    return socket


async def _open(
    exchange: Exchange, pod: Json, container: str, kind: str, command: list[str], wants: dict[str, bool]
) -> ContainerStream:
    if kind == "exec":
        return await exchange.streams.exec(pod, container, command, tty=wants["tty"], stdin=wants["stdin"])
    return await exchange.streams.attach(pod, container, tty=wants["tty"], stdin=wants["stdin"])


async def _pump(
    socket: web.WebSocketResponse, stream: ContainerStream, wants: dict[str, bool], ends_well: bool
) -> Json:
    """Carry both directions until the process ends or the client goes; the final Status."""
    stdin: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING_INPUT)
    reader = asyncio.create_task(_from_client(socket, stream, stdin if wants["stdin"] else None))
    feeder = asyncio.create_task(_feed(stream, stdin))
    writer = asyncio.create_task(_to_client(socket, stream, wants))
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


async def _from_client(
    socket: web.WebSocketResponse, stream: ContainerStream, stdin: asyncio.Queue[bytes | None] | None
) -> None:
    async for message in socket:
        if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
            continue
        data = message.data if isinstance(message.data, bytes) else message.data.encode()
        if not data:
            continue
        channel, rest = data[0], data[1:]
        if channel == _STDIN and stdin is not None and rest:
            await stdin.put(rest)
        elif channel == _CLOSE and stdin is not None and rest[:1] == bytes([_STDIN]):
            await stdin.put(None)
        elif channel == _RESIZE:
            await _resize(stream, rest)


async def _resize(stream: ContainerStream, raw: bytes) -> None:
    try:
        size = json.loads(raw)
        width, height = int(size["Width"]), int(size["Height"])
    except (ValueError, KeyError, TypeError):
        return
    if width and height:
        await stream.resize(width, height)


async def _to_client(socket: web.WebSocketResponse, stream: ContainerStream, wants: dict[str, bool]) -> None:
    async for channel, data in stream.output():
        if wants["stderr" if channel == STDERR else "stdout"] and data:
            await socket.send_bytes(bytes([channel]) + data)


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
