"""Folders of jobs that are over, removed behind the back of those that run.

Removing a checkout takes hundreds of calls of the system. They are made by `rm`, one process for all the folders
that have come together meanwhile, so that they neither delay the next job nor share our interpreter with it.
"""

from __future__ import annotations

import asyncio
import subprocess

from shipline.runner.local.stage_process import ended

PAUSE = 0.05
"""Seconds in which folders come together before a process is started for them."""
AT_ONCE = 2
"""Processes that share what has come together: the disk keeps each waiting more than working."""
SHARE = 8
"""Folders that are worth a process."""
BACKLOG = 64
"""Folders that may wait to be removed; a job that ends then waits itself."""


class Removal:
    """`add` a folder that nobody uses any more; `finish` returns when all are gone, as far as they can be."""

    def __init__(self) -> None:
        self._folders: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._removing: set[asyncio.Task[None]] = set()

    async def add(self, folder: str) -> None:
        self._folders.append(folder)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._begin)
        while len(self._folders) > BACKLOG and self._removing:
            await asyncio.wait(self._removing, return_when=asyncio.FIRST_COMPLETED)

    def _begin(self) -> None:
        self._timer = None
        folders, self._folders = self._folders, []
        share = max(SHARE, -(-len(folders) // AT_ONCE))
        for start in range(0, len(folders), share):
            task = asyncio.create_task(_remove(folders[start : start + share]))
            self._removing.add(task)
            task.add_done_callback(self._removing.discard)

    async def finish(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._begin()
        while self._removing:
            await asyncio.wait(self._removing)


async def _remove(folders: list[str]) -> None:
    process = subprocess.Popen(  # noqa: ASYNC220 (it takes a millisecond)
        ["rm", "-rf", "--", *folders], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await ended(process)
    finally:
        process.wait()
