"""The loop: asks the coordinator for jobs, runs each in a task of its own, and stops in one of two ways.

Gracefully (`until` is set): no further job is asked for, the running ones end. Forcefully (the task is cancelled):
running jobs are reported as interrupted and everything made for them is removed, within `FORCED_STOP` seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from shipline.protocol.coordinator import Coordinator
from shipline.protocol.payload import JobPayload
from shipline.runner.config import RunnerConfig
from shipline.runner.executors import Executors
from shipline.runner.lifecycle import JobRun

T = TypeVar("T")
FORCED_STOP = 2.8  # seconds until all that was made is removed, or given up; see lifecycle.LAST_CLEANUP
IDLE_PAUSE = 0.2  # seconds; only when a coordinator answers "no job" without having waited for one


class Runner:
    """One `[[runners]]` entry at work.

    `notify` is told, one line at a time, what concerns no single job: what an earlier run left, what was retried.
    """

    def __init__(
        self, config: RunnerConfig, coordinator: Coordinator, *, notify: Callable[[str], None] | None = None
    ) -> None:
        self.config = config
        self.coordinator = coordinator
        self.notify = notify or (lambda line: None)
        self.executors = Executors(config, self.notify)
        self._jobs: set[asyncio.Task[None]] = set()

    async def run(self, until: asyncio.Event | None = None) -> None:
        """Takes jobs until `until` is set, then waits for those that run. Cancelling the task aborts them.

        RunnerError when the runner cannot work at all (no cluster answers, wrong credentials, ...).
        """
        stop = until or asyncio.Event()
        stopping = asyncio.ensure_future(stop.wait())
        try:
            slots = asyncio.Semaphore(self.config.limit) if self.config.limit else None
            asking = range(max(self.config.request_concurrency, 1))
            await asyncio.gather(*(self._take_jobs(stopping, slots) for _ in asking))
            while self._jobs:
                await asyncio.wait(self._jobs)
        finally:
            stopping.cancel()
            await self._abort()
            await self.executors.close()

    async def _take_jobs(self, stopping: asyncio.Future[Any], slots: asyncio.Semaphore | None) -> None:
        while not stopping.done():
            if slots and not await _unless(stopping, slots.acquire()):
                return
            asked = time.monotonic()
            payload = await _unless(
                stopping, self.coordinator.request_job(frozenset(self.config.tags), self.config.run_untagged)
            )
            if payload is not None:
                self._start(payload, slots)
                continue
            if slots:
                slots.release()
            if time.monotonic() - asked < IDLE_PAUSE:
                await _unless(stopping, asyncio.sleep(IDLE_PAUSE))

    def _start(self, payload: JobPayload, slots: asyncio.Semaphore | None) -> None:
        task = asyncio.create_task(JobRun(self.executors, self.coordinator, payload).run())
        self._jobs.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._jobs.discard(task)
            if slots:
                slots.release()
            if not task.cancelled() and (error := task.exception()):
                self.notify(f"job {payload.id} ({payload.job_info.name}): {type(error).__name__}: {error}")

        task.add_done_callback(ended)

    async def _abort(self) -> None:
        jobs = list(self._jobs)
        for task in jobs:
            task.cancel()
        if jobs:
            await asyncio.wait(jobs, timeout=FORCED_STOP)


async def _unless(stopping: asyncio.Future[Any], work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`, or None when the stop came first. A result that comes with the stop is not lost."""
    task: asyncio.Task[T] = asyncio.create_task(work)
    try:
        await asyncio.wait([stopping, task], return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    return None if task.cancelled() else task.result()
