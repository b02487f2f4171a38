"""All runners of a config.toml at work for their servers. The file may change while they work: a runner that is new
starts, one that is gone or was changed asks for no more jobs and ends with those it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from shipline.runner.config import RunnerConfig
from shipline.runner.errors import RunnerError
from shipline.runner.http_coordinator import ASK_AGAIN_AFTER
from shipline.runner.runner import Runner
from shipline.runner.served import Places, ServedRunner

if TYPE_CHECKING:
    from shipline.runner.metrics import Metrics

SILENT = 150.0
"""Seconds without an answer of its server after which a runner is not healthy: three held questions."""


class Member:
    """One runner at work."""

    def __init__(self, served: ServedRunner, notify: Callable[[str], None]) -> None:
        self.served = served
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(Runner(served.entry, served, notify=notify).run(self.stop))

    @property
    def name(self) -> str:
        return f"{self.served.entry.name} at {self.served.entry.url}"


class Fleet:
    """`follow` it what config.toml says, as often as that changes; `run` until `stop` or `abort`."""

    def __init__(self, system_id: str, notify: Callable[[str], None], metrics: Metrics | None = None) -> None:
        self._system_id = system_id
        self._notify = notify
        self._metrics = metrics
        self._places = Places(1)
        self._members: list[Member] = []
        self._failed: dict[int, RunnerConfig] = {}
        self._failure: RunnerError | None = None
        self._changed = asyncio.Event()
        self._stopping = False

    async def follow(self, concurrent: int, entries: list[RunnerConfig], check_interval: int = 0) -> None:
        """From now on these runners work, so many jobs at a time; `check_interval` in seconds, 0: the usual."""
        kept = [member for member in self._members if member.served.entry in entries and not member.stop.is_set()]
        for member in self._members:
            if member not in kept:
                member.stop.set()
        if not self._stopping:
            known = [*(member.served.entry for member in kept), *self._failed.values()]
            self._members += [self._start(entry) for entry in entries if entry not in known]
        self._failed = {key: entry for key, entry in self._failed.items() if entry in entries}
        self._places.runners = len(entries)
        self._places.pause = check_interval or ASK_AGAIN_AFTER
        await self._places.resize(concurrent)
        if self._metrics:
            self._metrics.configured(concurrent, {entry.name: entry.limit for entry in entries})
        self._changed.set()

    def _start(self, entry: RunnerConfig) -> Member:
        return Member(ServedRunner(entry, self._system_id, self._places, self._metrics, self._notify), self._notify)

    async def run(self) -> None:
        """Returns when all have stopped. RunnerError when none of them can work."""
        try:
            while True:
                self._changed.clear()
                await self._reap()
                if not self._members and (self._stopping or self._failed):
                    break
                changed = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait(
                    {changed, *(member.task for member in self._members)}, return_when="FIRST_COMPLETED"
                )
                changed.cancel()
        finally:
            self.abort()
            await asyncio.gather(*(member.task for member in self._members), return_exceptions=True)
            await self._reap()
        if self._failure is not None and not self._stopping:
            raise self._failure

    async def _reap(self) -> None:
        """Lets go of the members that have ended."""
        for member in [member for member in self._members if member.task.done()]:
            self._members.remove(member)
            await member.served.close()
            error = None if member.task.cancelled() else member.task.exception()
            if error is not None:
                self._failed[id(member)] = member.served.entry
                self._failure = error if isinstance(error, RunnerError) else RunnerError(f"{member.name}: {error}")
                self._notify(f"The runner {member.name} has stopped: {error}")

    def stop(self) -> None:
        """No more jobs; those that run end."""
        self._stopping = True
        for member in self._members:
            member.stop.set()
        self._changed.set()

    def abort(self) -> None:
        """Running jobs are reported as interrupted, and everything that was made for them is removed."""
        self._stopping = True
        for member in self._members:
            member.task.cancel()
        self._changed.set()

    def silent(self) -> list[str]:
        """The runners that do not work, or whose servers have not answered for a while."""
        now = asyncio.get_running_loop().time()
        silent = [member.name for member in self._members if now - member.served.heard_at > SILENT]
        return [*silent, *(f"{entry.name} at {entry.url}" for entry in self._failed.values())]
