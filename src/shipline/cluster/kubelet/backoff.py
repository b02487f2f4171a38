"""Waiting longer after each failure, and having an end to patience."""

from __future__ import annotations

import asyncio

FIRST, LONGEST = 10.0, 300.0


class Backoff:
    """Delays in seconds: 10, 20, 40 ... 300. With `eager` the first is 0, as for a container's first restart."""

    def __init__(self, eager: bool = False) -> None:
        self._eager = eager
        self._failures = 0

    def next(self) -> float:
        """The delay after one more failure."""
        failures = self._failures - 1 if self._eager else self._failures
        self._failures += 1
        return 0.0 if failures < 0 else float(min(FIRST * 2 ** min(failures, 10), LONGEST))

    def reset(self) -> None:
        """It went well for long enough."""
        self._failures = 0


class Grace:
    """Time that is left, which may be cut short while somebody waits."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + seconds
        self._cut = asyncio.Event()

    @property
    def left(self) -> float:
        """Seconds left, 0 when none."""
        return max(0.0, self._end - self._loop.time())

    def shorten(self, seconds: float) -> None:
        """No more than `seconds` from now."""
        end = self._loop.time() + seconds
        if end < self._end:
            self._end = end
            self._cut.set()
            self._cut = asyncio.Event()

    async def wait(self, event: asyncio.Event) -> bool:
        """Wait for an event while time is left; whether it came."""
        while not event.is_set() and self.left > 0:
            waiting = {asyncio.ensure_future(one.wait()) for one in (event, self._cut)}
            try:
                await asyncio.wait(waiting, timeout=self.left, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waiting:
                    task.cancel()
        return event.is_set()


def in_words(seconds: float) -> str:
    """A wait as Go writes it, in minutes and whole seconds: `2m40s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
