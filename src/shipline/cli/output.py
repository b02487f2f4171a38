"""Standard output while jobs run: written at once, and never able to hold the jobs up for ever.

A reader that has gone (`shipline run | head`, a closed terminal) is done without. One that does not read on
(`less`, a terminal stopped by Ctrl-S) makes writing wait; a signal then ends the wait, so that Ctrl-C works there
too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

from shipline.cli.failures import silence_stdout

AT_ONCE = 1 << 16
PATIENCE = 0.3
"""Seconds after which nobody reads what a write of `AT_ONCE` bytes waits for."""


class Unread(Exception):
    """A signal came while nobody was reading."""


class Output:
    """Writes bytes to the file descriptor of standard output."""

    def __init__(self) -> None:
        self._descriptor = sys.stdout.fileno()
        self._gone = False
        self._since: float | None = None  # when the write began that goes on now
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()

    @property
    def is_terminal(self) -> bool:
        return os.isatty(self._descriptor)

    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal; 80 and 24 where it does not say."""
        try:
            columns, lines = os.get_terminal_size(self._descriptor)
        except OSError:
            columns = lines = 0
        return columns or 80, lines or 24

    def write(self, data: bytes) -> None:
        if self._gone:
            return
        left = memoryview(data)
        try:
            while left:
                self._since = time.monotonic()
                left = left[os.write(self._descriptor, left[:AT_ONCE]) :]
        except Unread:
            self._gone = not self.is_terminal  # Ctrl-C sets a stopped terminal going again
        except BlockingIOError:
            self._wait_and_write(left)
        except OSError:
            self._gone = True
            silence_stdout()
        finally:
            self._since = None

    def _wait_and_write(self, left: memoryview) -> None:
        """For a terminal that another program has set to refuse what it cannot take at once."""
        import select

        with contextlib.suppress(OSError, Unread):
            while left:
                select.select([], [self._descriptor], [])
                with contextlib.suppress(BlockingIOError):
                    left = left[os.write(self._descriptor, left) :]

    def interrupt(self) -> None:
        """Called from a signal's handler: ends a write that waits. One that has only just begun gets a moment."""
        if self._since is None:
            return
        if time.monotonic() - self._since >= PATIENCE:
            raise Unread
        signal.signal(signal.SIGALRM, lambda number, frame: self.interrupt())
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
