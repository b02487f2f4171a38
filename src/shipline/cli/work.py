"""Runs a pipeline's jobs in this process: engine, coordinator and runners, until nothing is left to do.

The first Ctrl-C (or SIGTERM, or SIGHUP) cancels the pipeline: scripts are stopped, after_script still runs. What
has not ended `GRACE` seconds later, or at the second Ctrl-C, is aborted; all in all that takes less than five
seconds.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from shipline.cli.interrupts import raise_noted
from shipline.cli.state import home
from shipline.engine.borrowing import borrowed
from shipline.engine.coordinator import EngineCoordinator
from shipline.engine.local_publisher import LocalPublisher
from shipline.engine.payload import Origin, make_payload
from shipline.engine.publishing import Publishing
from shipline.engine.shelf import LocalShelf
from shipline.engine.sqlite_store import put_away
from shipline.engine.states import Status
from shipline.engine.tending import tend
from shipline.runner import Runner, RunnerConfig

if TYPE_CHECKING:
    from shipline.cli.runners import Hands
    from shipline.cli.screen import Screen
    from shipline.engine.live import Live
    from shipline.engine.local_world import LocalWorld
    from shipline.engine.pipelines import Pipelines
    from shipline.engine.records import JobRecord
    from shipline.engine.repository import Repository
    from shipline.engine.sources import Elsewhere
    from shipline.language.pipeline import Pipeline
    from shipline.protocol.payload import JobPayload

GRACE = 2.0
PAGES_URL = "http://127.0.0.1:8931"
"""Where `shipline pages serve` shows the sites, unless it is told otherwise."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WAITING: tuple[Status, ...] = ("scheduled", "waiting_for_resource")


class Work:
    """One pipeline being run by this process, with all that it triggers."""

    def __init__(
        self,
        pipelines: Pipelines,
        pipeline_id: int,
        repository: Repository,
        hands: Hands,
        screen: Screen,
        elsewhere: Elsewhere,
    ) -> None:
        self.pipelines = pipelines
        self.pipeline_id = pipeline_id
        self.screen = screen
        self.hands = hands
        # A runner that is registered with a server serves this machine's jobs now, and none of the server's
        self.runners = [self._with_tags(msgspec.structs.replace(config, url="")) for config in hands.runners]
        self.elsewhere = elsewhere
        self.shelf = LocalShelf(pipelines.store, home())
        pipelines.publishing = Publishing(pipelines.store, LocalPublisher(pipelines.store, home()))
        self.coordinator = EngineCoordinator(
            pipelines,
            self._payload,
            at_most=hands.at_most,
            runner=self.runners[0].name,
            on_trace=screen.trace,
            shelf=self.shelf,
        )
        self.interrupted = False
        self._early = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: asyncio.Task[None] | None = None
        self._stops: list[asyncio.Event] = []
        self._group: asyncio.TaskGroup | None = None
        self._stopping = False
        self._repositories = {pipelines.live(pipeline_id).record.project_id: repository}
        self._origins: dict[int, Origin] = {}
        pipelines.listeners.append(screen.changed)
        for number in sorted(pipelines.owned):
            live = pipelines.live(number)
            screen.changed(live.record, [job for job in live.jobs.values() if job.status in WAITING])

    def _payload(self, live: Live, job: JobRecord) -> JobPayload:
        project_id = live.record.project_id
        kept = self.pipelines.store.variables(project_id)
        others = borrowed(self.pipelines.store, self.shelf, live, job.name) + self._cross_needed(live, job)
        return make_payload(live, job, self._origin(project_id), kept, shelf=self.shelf, others=others)

    def _cross_needed(self, live: Live, job: JobRecord) -> list[JobRecord]:
        """The jobs of other pipelines whose files the job gets. Raises Refusal."""
        if not any(need.project or need.pipeline for need in live.definitions[job.name].needs or ()):
            return []
        from shipline.engine.bridges import values_of
        from shipline.engine.cross_needs import needed

        world = self._world()
        values = values_of(live, job, world.facts(live))
        return needed(self.pipelines, live, job.name, values, lambda path: world.needed(live, path))

    def _world(self) -> LocalWorld:
        from shipline.engine.local_world import LocalWorld

        return LocalWorld(self.pipelines, self.elsewhere, self._prepare, self.shelf)

    def _origin(self, project_id: int) -> Origin:
        if project_id not in self._origins:
            self._origins[project_id] = self._look_up(project_id)
        return self._origins[project_id]

    def _look_up(self, project_id: int) -> Origin:
        from shipline.cli.id_token import local_issuer

        if project_id not in self._repositories:
            from shipline.engine.repository import Repository

            found = Repository.find(Path(self.pipelines.store.project_by_id(project_id).path))
            found.close()
            self._repositories[project_id] = found
        repository = self._repositories[project_id]
        tags = tuple(sorted({tag for config in self.runners for tag in config.tags}))
        name = self.runners[0].name
        return Origin(
            repository.url,
            repository.project_path,
            repository.name,
            runner=name,
            runner_tags=tags,
            issuer=local_issuer(),
            pages_url=PAGES_URL,
            longest=self.hands.longest,
        )

    def _with_tags(self, config: RunnerConfig, more: frozenset[str] = frozenset()) -> RunnerConfig:
        """A runner that is given no tags answers to every tag of the pipelines: on one's own machine, a tag says
        what a job needs, not who may run it."""
        if config.tags:
            return config
        lives = [self.pipelines.live(number) for number in self.pipelines.owned]
        tags = {tag for live in lives for job in live.jobs.values() for tag in job.tags}
        return msgspec.structs.replace(config, tags=sorted(tags | more))

    def run(self) -> bool:
        """Works until no job runs, waits for a runner or for its time; True unless it was interrupted."""
        before = {number: signal.signal(number, self._told) for number in SIGNALS}
        try:
            raise_noted()
            asyncio.run(self._run())
        finally:
            self._loop = None
            self.pipelines.give_up()
            for number, handler in before.items():
                signal.signal(number, handler)
        return not self.interrupted

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._early:
            raise KeyboardInterrupt
        stop = asyncio.Event()
        self._running = asyncio.create_task(self._runners(stop))
        tending = asyncio.create_task(tend(self.pipelines))
        ticking = asyncio.create_task(self._tick())
        triggering = asyncio.create_task(self._trigger())
        aborted = True
        try:
            while not (self._running.done() or triggering.done() or self.coordinator.failure or self._released()):
                await self.pipelines.bell.wait(1.0)
            aborted = self.coordinator.failure is not None or triggering.done()
        finally:
            stop.set()
            self._stopping = True
            for each in self._stops:
                each.set()
            self.coordinator.close()
            if aborted:
                self._running.cancel()
            putting_away = asyncio.create_task(asyncio.to_thread(put_away, home()))
            await asyncio.wait({self._running, putting_away})
            tending.cancel()
            ticking.cancel()
            triggering.cancel()
        if self.coordinator.failure:
            raise self.coordinator.failure
        if triggering.done() and not triggering.cancelled() and (error := triggering.exception()):
            raise error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
        if not self._running.cancelled():
            self._running.result()

    def _released(self) -> bool:
        """Whether nothing is left to do; the pipeline is then nobody's."""
        self.coordinator.fail_unmatched([(frozenset(c.tags), c.run_untagged) for c in self.runners])
        busy = any(self.pipelines.known(number).busy() for number in self.pipelines.owned)
        return not busy and self.pipelines.release(self.pipeline_id)

    async def _runners(self, stop: asyncio.Event) -> None:
        """The runners, and those that take their place (`_prepare`), until `stop`."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            if not stop.is_set():
                self._hire()
            await stop.wait()

    def _hire(self) -> None:
        """Starts the runners; those that were there take no more jobs."""
        assert self._group is not None
        for earlier in self._stops:
            earlier.set()
        stop = asyncio.Event()
        self._stops.append(stop)
        for config in self.runners:
            self._group.create_task(Runner(config, self.coordinator, notify=self.screen.say).run(stop))

    async def _trigger(self) -> None:
        """Starts the pipelines that trigger jobs ask for, where there are any."""
        if not any(self.pipelines.live(number).graph.bridges for number in self.pipelines.owned):
            await asyncio.Event().wait()
        from shipline.engine.bridges import pending, start

        world = self._world()
        begun: set[int] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                for number in sorted(self.pipelines.owned):
                    for job in pending(self.pipelines.live(number)):
                        if job.id not in begun:
                            begun.add(job.id)
                            group.create_task(start(self.pipelines, job, world))
                await self.pipelines.bell.wait()

    async def _prepare(self, compiled: Pipeline) -> None:
        """Sees to it that there are runners for a pipeline that is about to be made: for its tags, and for pods."""
        hands = self.hands
        if hands.with_pods is not None and any(job.image and job.when != "manual" for job in compiled.jobs):
            hands = await asyncio.to_thread(hands.with_pods)
        tags = frozenset(tag for job in compiled.jobs for tag in job.tags)
        runners = [self._with_tags(msgspec.structs.replace(config, url=""), tags) for config in hands.runners]
        if runners != self.runners and self._group is not None and not self._stopping:
            self.hands, self.runners = hands, runners
            self._origins.clear()
            self._hire()

    async def _tick(self) -> None:
        """Keeps what is shown up to date while nothing happens."""
        while self.screen.every is not None:
            await asyncio.sleep(self.screen.every)
            self.screen.tick()

    def _told(self, number: int, frame: object) -> None:
        """A signal's handler: no more than what also works while the loop is held up by writing."""
        if self._loop is None:
            self._early = True
        else:
            self._loop.call_soon_threadsafe(self._interrupt)
        self.screen.output.interrupt()

    def _interrupt(self) -> None:
        if self.interrupted:
            self._abort()
            return
        self.interrupted = True
        self.screen.say("Cancelling (Ctrl-C again to stop at once) ...")
        for number in sorted(self.pipelines.owned):
            self.pipelines.cancel(number)
        asyncio.get_running_loop().call_later(GRACE, self._abort)

    def _abort(self) -> None:
        if self._running is not None:
            self._running.cancel()
