"""Waiting for tasks so that what one of them raises is heard, and none ends because nobody waits any more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any


async def all_ended(tasks: set[asyncio.Task[None]]) -> None:
    """Wait for tasks and raise what one of them raised. Unlike `gather`, being cancelled does not cancel them."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()


async def ended(awaited: asyncio.Task[Any], others: Iterable[asyncio.Task[Any]]) -> None:
    """Wait for one task; raise when one of the others fails before."""
    left: set[asyncio.Task[Any]] = {awaited, *others}
    while not awaited.done():
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        for task in (one for one in done if not one.cancelled()):
            task.result()
