"""The pipelines of a store as this process has them in memory, and how a change of one of them is made.

A change is one transaction: read what is, let the state machine decide, store what follows, and then tell those who
listen. Several processes may do so on one store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from shipline.engine import deployments, resources
from shipline.engine.bell import Bell
from shipline.engine.errors import EngineError
from shipline.engine.live import Change, Live
from shipline.engine.records import JobRecord, PipelineRecord
from shipline.engine.states import ACTIVE
from shipline.engine.store import Store

Listener = Callable[[PipelineRecord, list[JobRecord]], None]


class LivePipelines:
    """`listeners` are called with a pipeline and its changed jobs after each change; `bell` rings then, too.
    `owned` are the numbers of the pipelines whose jobs this process runs."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self.clock = clock
        self.listeners: list[Listener] = []
        self.bell = Bell()
        self.owned: set[int] = set()
        self.seen = store.version()
        self._live: dict[int, Live] = {}
        self._depth = 0
        self._untold: list[tuple[Live, list[JobRecord]]] = []

    def add(self, live: Live, told: bool) -> None:
        """One that has just been made. `told`: those who listen hear of all its jobs after this change."""
        self._live[live.record.id] = live
        if told:
            self._untold.append((live, list(live.jobs.values())))

    def live(self, pipeline_id: int) -> Live:
        """The pipeline as it is now. Raises EngineError when there is none of that number."""
        if (version := self.store.version()) != self.seen:
            self.seen = version
            self.refresh()
        if pipeline_id not in self._live:
            record = self.store.pipeline(pipeline_id)
            if record is None:
                raise EngineError(f"There is no pipeline {pipeline_id}. `shipline pipelines` lists them.")
            self._live[pipeline_id] = Live(record, self.store.jobs(pipeline_id), self.store.compiled(pipeline_id))
        return self._live[pipeline_id]

    def known(self, pipeline_id: int) -> Live:
        """The pipeline as last seen here, which another process may have changed a moment ago (see
        `shipline.engine.tending`): for whoever asks often and is told of changes."""
        return self._live.get(pipeline_id) or self.live(pipeline_id)

    def job(self, pipeline_id: int, name: str) -> JobRecord:
        """The latest try of a job. Raises EngineError, with the nearest name, when there is none of that name."""
        jobs = self.live(pipeline_id).jobs
        if name not in jobs:
            from difflib import get_close_matches

            near = get_close_matches(name, jobs, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else f" It has: {', '.join(jobs)}."
            raise EngineError(f"Pipeline {pipeline_id} has no job '{name}'.{hint}")
        return jobs[name]

    def forget(self, pipeline_id: int) -> None:
        """Lets go of a pipeline that the store has no more."""
        self._live.pop(pipeline_id, None)
        self.owned.discard(pipeline_id)

    def forget_settled(self) -> None:
        """Lets go, in memory, of the pipelines in which nothing runs or is about to; they are read again when
        somebody asks for one."""
        for pipeline_id, live in list(self._live.items()):
            if not any(job.status in ACTIVE for job in live.jobs.values()):
                del self._live[pipeline_id]

    def refresh(self) -> None:
        """Reads again what another process may have changed, and tells what has."""
        for pipeline_id, live in list(self._live.items()):
            record = self.store.pipeline(pipeline_id)
            if record is None or record.revision == live.record.revision:
                continue
            changed = [job for job in self.store.jobs(pipeline_id) if live.jobs.get(job.name) != job]
            live.take(record, changed)
            self._tell(live, changed)

    @contextmanager
    def changing(self, pipeline_id: int) -> Iterator[Change]:
        """One change: inside, the state machine's events act on `change.states`; afterwards it is stored, and told
        before what it changes in the pipelines above."""
        self._depth += 1
        try:
            with self.store.transaction():
                live = self.live(pipeline_id)
                before = live.record
                change = Change(live, self.clock())
                yield change
                self._keep(change, before)
        finally:
            self._depth -= 1
            untold = self._untold
            if not self._depth:
                self._untold = []
        if not self._depth:
            for live, jobs in untold:
                self._tell(live, jobs)

    def status_changed(self, record: PipelineRecord) -> None:
        """What a pipeline's new status changes elsewhere, in the same transaction."""

    def _keep(self, change: Change, before: PipelineRecord) -> None:
        live = change.live
        resources.give(self.store, change)
        record, jobs = change.pipeline(), change.changed_jobs()
        if record is before and not jobs and not change.replaced:
            return
        record = msgspec.structs.replace(record, revision=before.revision + 1)
        self.store.save(record, [*change.replaced.values(), *jobs])
        deployments.record_ends(self.store, live, [*change.replaced.values(), *jobs], change.now)
        jobs += [self.store.add_job(job) for job in change.new_tries()]
        live.take(record, jobs)
        if jobs:
            self._untold.append((live, jobs))
        if record.upstream and record.status != before.status:
            self.status_changed(record)

    def _tell(self, live: Live, jobs: list[JobRecord]) -> None:
        for listener in self.listeners:
            listener(live.record, jobs)
        self.bell.ring()
