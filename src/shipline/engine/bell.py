"""A bell that wakes everybody who waits: how waiting without polling is done here."""

from __future__ import annotations

import asyncio


class Bell:
    """Any number of tasks wait; each ring wakes all of them once."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self, seconds: float | None = None) -> bool:
        """Returns True at the next ring, False when the seconds have passed without one."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return False
        return True
