"""One stage's shell as a process group of this machine: its output to the trace, its end noticed at once.

The stage ends when its shell ends, also where a child goes on in the background with the output still open.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
from collections.abc import Callable

READ_AT_ONCE, MOST_AT_ONCE = 1 << 15, 1 << 18  # bytes; a larger buffer costs more than what most jobs print
PIPE_SIZE = 1 << 20
TERM_TIME = 5.0  # seconds from SIGTERM to SIGKILL


class StageProcess:
    """`start` once, `wait` once; `stop` at any time between."""

    def __init__(
        self, command: list[str], environment: dict[str, str], folder: str, output: Callable[[bytes], None]
    ) -> None:
        self._output = output
        self._at_once = READ_AT_ONCE
        self._loop = asyncio.get_running_loop()
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        self._loop.add_reader(self._pipe, self._read)

    def _read(self) -> bool:
        """Takes what is there; False when there is nothing (more)."""
        try:
            data = os.read(self._pipe, self._at_once)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._pipe)
            return False
        if len(data) == self._at_once:
            self._at_once = MOST_AT_ONCE
        self._output(data)
        return True

    async def wait(self) -> int:
        """The exit status, 128+N for a signal; all output written until then is in the trace."""
        try:
            await ended(self._process)
            while self._read():
                pass
        finally:
            self._loop.remove_reader(self._pipe)
        status = self._process.wait()
        return 128 - status if status < 0 else status

    async def stop(self) -> None:
        """Asks the whole group to end, and makes it after TERM_TIME."""
        self.signal(signal.SIGTERM)
        self._loop.call_later(TERM_TIME, self.signal, signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def close(self) -> None:
        """Kills what is left of the group and lets go of the output."""
        self.signal(signal.SIGKILL)
        self._loop.remove_reader(self._pipe)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait()


async def ended(process: subprocess.Popen[bytes]) -> None:
    """Returns when the process has ended; its status is still to be asked for."""
    if not hasattr(os, "pidfd_open"):
        await asyncio.to_thread(process.wait)
        return
    loop = asyncio.get_running_loop()
    descriptor = os.pidfd_open(process.pid)
    end = loop.create_future()
    loop.add_reader(descriptor, _settle, end)
    try:
        await end
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
