"""Keys that wait to be worked on.

A key waits at most once however often it is added, so a burst of changes to one object costs one look at it.
Keys can be added for later, and a key whose work failed comes back after a pause that doubles with each
failure.
"""

from __future__ import annotations

import asyncio

Key = tuple[str, str]
"""Namespace ("" for objects outside of namespaces) and name."""

FIRST_PAUSE = 0.005
LONGEST_PAUSE = 60.0


class WorkQueue:
    """Keys in the order of their arrival. Used from one event loop; one task takes keys out."""

    def __init__(self) -> None:
        self._ready: dict[Key, None] = {}
        self._arrived = asyncio.Event()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}

    def add(self, key: Key) -> None:
        """Have `key` worked on soon."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        self._ready[key] = None
        self._arrived.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Have `key` worked on in `seconds`, or earlier if it is due earlier already."""
        if seconds <= 0:
            self.add(key)
            return
        if key in self._ready:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if timer := self._timers.get(key):
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(due, self.add, key)

    def retry(self, key: Key) -> float:
        """Have `key` worked on again after a pause, which is returned in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        pause = min(FIRST_PAUSE * 2.0 ** min(failures, 20), LONGEST_PAUSE)
        self.add_after(key, pause)
        return pause

    def succeeded(self, key: Key) -> None:
        """The work on `key` went well: its next failure counts as the first."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """The next key; waits for one."""
        while not self._ready:
            self._arrived.clear()
            await self._arrived.wait()
        key = next(iter(self._ready))
        del self._ready[key]
        return key

    def close(self) -> None:
        """Let go of all timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
