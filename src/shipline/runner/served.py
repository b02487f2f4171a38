"""A server's jobs for one runner of several in a process: they share the places for jobs, and are counted together.

A question that the server may hold keeps its place for as long; it is held only while every other runner of the
process would find a place too, so that nobody waits behind a question that waits itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shipline.protocol.coordinator import Answer, JobUpdate
from shipline.protocol.payload import JobPayload
from shipline.runner.config import RunnerConfig
from shipline.runner.http_coordinator import ASK_AGAIN_AFTER, HttpCoordinator
from shipline.runner.tls import Tls

if TYPE_CHECKING:
    from shipline.runner.metrics import Metrics


class Places:
    """How many jobs run at a time, all runners together (`concurrent`); it may change at any time."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken = 0
        self._changed = asyncio.Condition()
        self.runners = 1
        """How many runners share the places."""
        self.pause = ASK_AGAIN_AFTER
        """Seconds between two questions of a runner, where its server does not hold them (`check_interval`)."""

    @property
    def spare(self) -> bool:
        """Whether each of the other runners could take a place, too."""
        return self._total - self._taken >= self.runners - 1

    async def resize(self, total: int) -> None:
        """From now on so many; jobs that run go on."""
        async with self._changed:
            self._total = total
            self._changed.notify_all()

    async def take(self) -> None:
        """Waits for a place."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._taken < self._total)
            self._taken += 1

    async def free(self) -> None:
        """Gives a place back."""
        async with self._changed:
            self._taken -= 1
            self._changed.notify(1)


class ServedRunner(HttpCoordinator):
    """The coordinator of one `[[runners]]` entry. A job's place is free again when its end is reported, or could
    not be."""

    def __init__(
        self,
        entry: RunnerConfig,
        system_id: str,
        places: Places,
        metrics: Metrics | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        tls = Tls.of(entry)
        super().__init__(
            entry.url, entry.token, system_id, executor=entry.executor, clone_url=entry.clone_url, tls=tls
        )
        self.entry = entry
        self.heard_at = asyncio.get_running_loop().time()
        """When the server last answered anything."""
        self._places = places
        self._metrics = metrics
        self._notify = notify or (lambda line: None)
        self._unheard = False
        self._running: set[int] = set()

    async def request_job(self, tags: frozenset[str], run_untagged: bool) -> JobPayload | None:
        await self._places.take()
        payload = None
        try:
            payload = await self.ask(hold=self._places.spare)
        finally:
            if payload is None:
                await self._places.free()
        if payload is None:
            await asyncio.sleep(max(self.wait and self._places.pause, self.told_to_wait))
            return None
        self._running.add(payload.id)
        if self._metrics:
            self._metrics.started(self.entry.name, payload)
        return payload

    async def update_job(self, job: JobPayload, update: JobUpdate) -> Answer:
        try:
            return await super().update_job(job, update)
        finally:
            if update.state != "running" and job.id in self._running:
                self._running.discard(job.id)
                await self._places.free()
                if self._metrics:
                    self._metrics.ended(self.entry.name, job, update)

    async def _call(self, method: str, path: str, **options: Any) -> tuple[int, Any, bytes]:
        try:
            status, headers, text = await super()._call(method, path, **options)
        except OSError as error:  # TimeoutError is one
            if not self._unheard:
                self._unheard = True
                self._notify(f"{self.entry.name}: no answer: {error}. It is asked again until there is one.")
            raise
        if self._unheard:
            self._unheard = False
            self._notify(f"{self.entry.name}: {self.entry.url} answers again.")
        self.heard_at = asyncio.get_running_loop().time()
        if self._metrics:
            self._metrics.answered(self.entry.name, path, status)
        return status, headers, text
