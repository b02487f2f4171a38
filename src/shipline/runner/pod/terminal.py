"""A person's terminal in a pod's container: keys in, output out, the window's size followed; the terminal's own
settings come back however it ends."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from shipline.runner.errors import RunnerError
from shipline.runner.kubernetes.client import Client
from shipline.runner.kubernetes.errors import ApiError, Unreachable
from shipline.runner.kubernetes.streams import ERROR, PROTOCOLS, STDERR, STDIN, STDOUT
from shipline.runner.kubernetes.websocket import WebSocket

RESIZE, CLOSE = 4, 255
READ_AT_ONCE = 1 << 16


async def enter(client: Client, namespace: str, pod: str, container: str, command: list[str]) -> int:
    """Runs `command` in a container with our own input and output; gives its exit status. RunnerError when that
    cannot be."""
    tty = os.isatty(0) and os.isatty(1)
    wants = {"stdin": True, "stdout": True, "stderr": not tty, "tty": tty}
    query = [("container", container), *((name, "true") for name, on in wants.items() if on)]
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    try:
        socket = await client.socket(path, [*query, *(("command", word) for word in command)], PROTOCOLS)
    except (ApiError, Unreachable) as error:
        raise RunnerError(f"the pod {namespace}/{pod} cannot be entered: {error}") from None
    pipe = _Pipe(socket)
    try:
        with _raw() if tty else contextlib.nullcontext():
            async with _sizes(pipe) if tty else contextlib.nullcontext():
                return await _pump(pipe)
    finally:
        await socket.close()


class _Pipe:
    """The socket, for two that send: keys and sizes."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self._one = asyncio.Lock()

    async def send(self, channel: int, data: bytes) -> None:
        async with self._one:
            with contextlib.suppress(OSError, RuntimeError):
                await self.socket.send(bytes([channel]) + data)


async def _pump(pipe: _Pipe) -> int:
    threading.Thread(target=_type, args=(pipe, asyncio.get_running_loop()), daemon=True).start()
    try:
        async for message in pipe.socket.messages():
            if not message:
                continue
            channel, data = message[0], message[1:]
            if channel in (STDOUT, STDERR):
                await asyncio.to_thread(_write, 1 if channel == STDOUT else 2, data)
            elif channel == ERROR:
                return _status(data)
    except OSError as error:
        raise RunnerError(f"the connection to the pod broke: {error}") from None
    raise RunnerError("the connection to the pod ended: is the pod gone?")


def _type(pipe: _Pipe, loop: asyncio.AbstractEventLoop) -> None:
    """Sends what comes in, in a thread, since input may be of any kind; at its end the other side's ends, too."""
    with contextlib.suppress(OSError, RuntimeError, concurrent.futures.CancelledError):
        while data := os.read(0, READ_AT_ONCE):
            asyncio.run_coroutine_threadsafe(pipe.send(STDIN, data), loop).result()
        asyncio.run_coroutine_threadsafe(pipe.send(CLOSE, bytes([STDIN])), loop).result()


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def _raw() -> Iterator[None]:
    """Each key goes to the other side at once, also Ctrl-C."""
    import termios
    import tty

    before = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@asynccontextmanager
async def _sizes(pipe: _Pipe) -> AsyncIterator[None]:
    """Tells the other side how large the window is, now and whenever that changes. Signals that would end us end
    this instead, so that the terminal is put right."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    changed = asyncio.Event()
    changed.set()

    async def tell() -> None:
        while True:
            await changed.wait()
            changed.clear()
            with contextlib.suppress(OSError):
                columns, lines = os.get_terminal_size(1)
                await pipe.send(RESIZE, json.dumps({"Width": columns, "Height": lines}).encode())

    loop.add_signal_handler(signal.SIGWINCH, changed.set)
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        for number in (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)


def _status(data: bytes) -> int:
    """The exit status that the last message tells."""
    status = json.loads(data or b"{}")
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode" and str(cause.get("message", "")).isdigit():
            return int(cause["message"])
    sys.stderr.write(f"{status.get('message', 'the command failed')}\n")
    return 1
