"""A terminal in which a test runs a program: a pseudo-terminal, and an emulator that knows what is to be seen."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyte


class Terminal:
    """`columns` wide and `lines` high. The program begins at once; `close` makes sure that it has ended."""

    def __init__(
        self,
        command: list[str],
        directory: Path,
        environment: Mapping[str, str],
        columns: int = 80,
        lines: int = 24,
        term: str = "xterm-256color",
    ) -> None:
        self.screen = pyte.HistoryScreen(columns, lines, history=10_000)
        self._stream = pyte.ByteStream(self.screen)
        self.received = b""
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(directory)
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
                os.execvpe(command[0], command, dict(environment) | {"TERM": term})
            finally:
                os._exit(99)
        self.settings = termios.tcgetattr(self.descriptor)
        self.code: int | None = None

    def resize(self, columns: int, lines: int) -> None:
        self.screen.resize(lines, columns)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def shown(self) -> list[str]:
        """The lines that are to be seen now, without empty ones."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def everything(self) -> list[str]:
        """Also what has been scrolled away."""
        past = ["".join(row[x].data for x in range(self.screen.columns)) for row in self.screen.history.top]
        return [line.rstrip() for line in [*past, *self.screen.display]]

    def until(self, seen: Callable[[list[str]], bool], seconds: float = 30) -> list[str]:
        """Reads until the screen is as wanted; gives it."""
        deadline = time.monotonic() + seconds
        while not seen(self.shown()):
            assert time.monotonic() < deadline, "\n".join(self.shown())
            assert self._read(), "it ended:\n" + "\n".join(self.everything())
        return self.shown()

    def line(self, *words: str) -> list[str]:
        """Reads until a line has all these words."""
        return self.until(lambda lines: any(all(word in line for word in words) for line in lines))

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def end(self) -> int:
        """Reads to the program's end; gives its exit code."""
        while self._read():
            pass
        return self.close()

    def close(self) -> int:
        """The exit code, negative for a signal; what does not end by itself is killed."""
        if self.code is None:
            deadline = time.monotonic() + 10
            found = os.waitpid(self.pid, os.WNOHANG)
            while found[0] == 0 and time.monotonic() < deadline:
                time.sleep(0.02)
                found = os.waitpid(self.pid, os.WNOHANG)
            if found[0] == 0:
                os.kill(self.pid, signal.SIGKILL)
                found = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(found[1])
            os.close(self.descriptor)
        return self.code

    def _read(self) -> bool:
        if not select.select([self.descriptor], [], [], 0.2)[0]:
            return True
        try:
            data = os.read(self.descriptor, 1 << 16)
        except OSError:
            return False
        self.received += data
        self._stream.feed(data)
        return bool(data)
