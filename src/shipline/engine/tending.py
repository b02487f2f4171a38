"""What happens without anybody's doing: delayed jobs fall due, other processes change the store."""

from __future__ import annotations

import asyncio

from shipline.engine.pipelines import Pipelines

LOOK_AROUND = 0.25
"""Seconds between two looks at whether another process has changed the store: one pragma, some microseconds."""


async def tend(pipelines: Pipelines) -> None:
    """Runs until it is cancelled."""
    while True:
        if (version := pipelines.store.version()) != pipelines.seen:
            pipelines.seen = version
            pipelines.refresh()
        due = pipelines.tick()
        await asyncio.sleep(min(LOOK_AROUND, due) if due is not None else LOOK_AROUND)
