"""Runs a pipeline's jobs in this process: engine, coordinator and runners, until nothing is left to do.

The first Ctrl-C (or SIGTERM, or SIGHUP) cancels the pipeline: scripts are stopped, after_script still runs. What
has not ended `GRACE` seconds later, or at the second Ctrl-C, is aborted; all in all that takes less than five
seconds.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import msgspec

from shipline.engine.coordinator import EngineCoordinator
from shipline.engine.payload import Origin, make_payload
from shipline.engine.states import Status
from shipline.engine.tending import tend
from shipline.runner import Runner, RunnerConfig

if TYPE_CHECKING:
    from shipline.cli.runners import Hands
    from shipline.cli.screen import Screen
    from shipline.engine.pipelines import Pipelines
    from shipline.engine.repository import Repository

GRACE = 2.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WAITING: tuple[Status, ...] = ("scheduled", "waiting_for_resource")
BUSY: tuple[Status, ...] = ("pending", "running", "canceling", *WAITING)


class Work:
    """One pipeline being run by this process."""

    def __init__(
        self,
        pipelines: Pipelines,
        pipeline_id: int,
        repository: Repository,
        hands: Hands,
        screen: Screen,
    ) -> None:
        self.pipelines = pipelines
        self.pipeline_id = pipeline_id
        self.screen = screen
        self.runners = [self._with_tags(config) for config in hands.runners]
        tags = tuple(sorted({tag for config in self.runners for tag in config.tags}))
        origin = Origin(
            repository.url, repository.project_path, repository.name, runner=self.runners[0].name, runner_tags=tags
        )
        project_id = pipelines.live(pipeline_id).record.project_id
        self.coordinator = EngineCoordinator(
            pipelines,
            lambda live, job: make_payload(live, job, origin, pipelines.store.variables(project_id)),
            at_most=hands.at_most,
            runner=self.runners[0].name,
            on_trace=screen.trace,
        )
        self.interrupted = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: asyncio.Task[None] | None = None
        pipelines.listeners.append(screen.changed)
        live = pipelines.live(pipeline_id)
        screen.changed(live.record, [job for job in live.jobs.values() if job.status in WAITING])

    def _with_tags(self, config: RunnerConfig) -> RunnerConfig:
        """A runner that is given no tags answers to every tag of the pipeline: on one's own machine, a tag says
        what a job needs, not who may run it."""
        if config.tags:
            return config
        jobs = self.pipelines.live(self.pipeline_id).jobs.values()
        return msgspec.structs.replace(config, tags=sorted({tag for job in jobs for tag in job.tags}))

    def run(self) -> bool:
        """Works until no job runs, waits for a runner or for its time; True unless it was interrupted."""
        before = {number: signal.signal(number, self._told) for number in SIGNALS}
        try:
            asyncio.run(self._run())
        finally:
            self._loop = None
            self.pipelines.give_up()
            for number, handler in before.items():
                signal.signal(number, handler)
        return not self.interrupted

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        self._running = asyncio.create_task(self._runners(stop))
        tending = asyncio.create_task(tend(self.pipelines))
        ticking = asyncio.create_task(self._tick())
        aborted = True
        try:
            while not (self._running.done() or self.coordinator.failure or self._released()):
                await self.pipelines.bell.wait(1.0)
            aborted = self.coordinator.failure is not None
        finally:
            stop.set()
            self.coordinator.close()
            if aborted:
                self._running.cancel()
            await asyncio.wait({self._running})
            tending.cancel()
            ticking.cancel()
        if self.coordinator.failure:
            raise self.coordinator.failure
        if not self._running.cancelled():
            self._running.result()

    def _released(self) -> bool:
        """Whether nothing is left to do; the pipeline is then nobody's."""
        self.coordinator.fail_unmatched([(frozenset(c.tags), c.run_untagged) for c in self.runners])
        live = self.pipelines.live(self.pipeline_id)
        return not live.with_status(*BUSY) and self.pipelines.release(self.pipeline_id)

    async def _runners(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for config in self.runners:
                group.create_task(Runner(config, self.coordinator, notify=self.screen.say).run(stop))

    async def _tick(self) -> None:
        """Keeps what is shown up to date while nothing happens."""
        while self.screen.every is not None:
            await asyncio.sleep(self.screen.every)
            self.screen.tick()

    def _told(self, number: int, frame: object) -> None:
        """A signal's handler: no more than what also works while the loop is held up by writing."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._interrupt)
        self.screen.output.interrupt()

    def _interrupt(self) -> None:
        if self.interrupted:
            self._abort()
            return
        self.interrupted = True
        self.screen.say("Cancelling (Ctrl-C again to stop at once) ...")
        self.pipelines.cancel(self.pipeline_id)
        asyncio.get_running_loop().call_later(GRACE, self._abort)

    def _abort(self) -> None:
        if self._running is not None:
            self._running.cancel()
