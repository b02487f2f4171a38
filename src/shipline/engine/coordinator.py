"""Hands jobs to runners in this process: the engine's own implementation of `shipline.protocol`'s Coordinator.

A call instead of HTTP. Nothing is polled: whoever waits, for a job or for a cancel, is woken by the change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Literal

from shipline.engine import archives
from shipline.engine.coverage import coverage
from shipline.engine.dependencies import COULD_NOT_RETRIEVE, gone
from shipline.engine.deployments import OUTDATED, record_start
from shipline.engine.errors import EngineError
from shipline.engine.live import Live
from shipline.engine.pipelines import Pipelines
from shipline.engine.publishing import promise
from shipline.engine.records import JobRecord, PipelineRecord
from shipline.engine.shelf import LocalShelf
from shipline.engine.states import COMPLETED, Status
from shipline.protocol.coordinator import Answer, FileRefused, JobUpdate, Upload
from shipline.protocol.payload import Dependency, JobPayload

PATIENCE = 50.0
"""Seconds that a runner's question for a job is kept waiting: GitLab's own."""

MakePayload = Callable[[Live, JobRecord], JobPayload]
TraceListener = Callable[[JobRecord, int, bytes], None]


class EngineCoordinator:
    """Gives out the pending jobs of the pipelines that this process runs, oldest first.

    `make_payload` turns a job into what a runner gets. `at_most` jobs are out at a time. `on_trace` is told each
    piece of a log with its offset. `shelf` keeps the files that jobs leave. `failure` is what made it stop: the
    store can't be written any more.
    """

    def __init__(
        self,
        pipelines: Pipelines,
        make_payload: MakePayload,
        *,
        at_most: int | None = None,
        runner: str = "shipline",
        on_trace: TraceListener | None = None,
        shelf: LocalShelf | None = None,
    ) -> None:
        self.pipelines = pipelines
        self.make_payload = make_payload
        self.at_most = at_most
        self.runner = runner
        self.on_trace = on_trace
        if pipelines.publishing is not None:
            pipelines.publishing.on_trace = on_trace
        self.shelf = shelf
        self.closed = False
        self.failure: Exception | None = None
        self._given: dict[int, JobRecord] = {}
        self._out: set[int] = set()
        self._queue = {job.id: job for job in self._pending()}
        self._unmatched = list(self._queue.values())
        self._changes: dict[tuple[int, str], asyncio.Event] = {}
        pipelines.listeners.append(self._changed)

    def _changed(self, record: PipelineRecord, jobs: list[JobRecord]) -> None:
        for job in sorted(jobs, key=attrgetter("id")):
            self._queue.pop(job.id, None)
            if job.status == "pending" and not job.bridge:
                self._queue[job.id] = job
                self._unmatched.append(job)
            if event := self._changes.pop((job.pipeline_id, job.name), None):
                event.set()

    def close(self) -> None:
        """No more jobs are given out; who waits for one is answered at once."""
        self.closed = True
        self.pipelines.bell.ring()

    def _break(self, error: Exception) -> None:
        self.failure = self.failure or error
        self.close()

    async def request_job(self, tags: frozenset[str], run_untagged: bool) -> JobPayload | None:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not self.closed:
            if payload := self._next(tags, run_untagged):
                return payload
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or not await self.pipelines.bell.wait(left):
                return None
        return None

    def _next(self, tags: frozenset[str], run_untagged: bool) -> JobPayload | None:
        """The payload of the job that has waited longest of those that a runner with these tags may have."""
        refused: set[int] = set()
        while self.at_most is None or len(self._out) < self.at_most:
            fitting = (job for job in self._queue.values() if _matches(job, tags, run_untagged))
            job = next((job for job in fitting if job.id not in refused and self._is_ours(job)), None)
            if job is None:
                return None
            if (payload := self._give(job)) is not None:
                return payload
            refused.add(job.id)
        return None

    def _is_ours(self, job: JobRecord) -> bool:
        return job.pipeline_id in self.pipelines.owned

    async def append_trace(self, job: JobPayload, offset: int, data: bytes) -> Answer:
        if self.failure is not None:  # nothing is written any more, and nobody is to send it again
            return Answer("canceled", offset + len(data))
        try:
            stored = self.pipelines.store.write_trace(job.id, offset, data)
        except OSError as error:
            self._break(error)
            return Answer("canceled", offset + len(data))
        if self.on_trace is not None and stored >= offset + len(data):
            self.on_trace(self._given[job.id], offset, data)
        return Answer(self._status(job), stored)

    async def update_job(self, job: JobPayload, update: JobUpdate) -> Answer:
        if update.state != "running":
            given = self._given[job.id]
            self._out.discard(job.id)
            try:
                self._finish(given, update)
            except Exception as error:
                self._break(error)
                raise
        return Answer(self._status(job))

    async def wait_canceled(self, job: JobPayload) -> Literal["canceling", "canceled"]:
        given = self._given[job.id]
        while True:
            status = self._status(job)
            if status == "canceling" or status == "canceled":
                return status
            await self._changes.setdefault((given.pipeline_id, given.name), asyncio.Event()).wait()

    async def upload_artifacts(self, job: JobPayload, upload: Upload, file: Path) -> str:
        if self.shelf is None:
            raise FileRefused("405 Method Not Allowed", "no files are kept here")
        given = self._given[job.id]
        reported = await asyncio.to_thread(self.shelf.receive, given.id, upload, file)
        self.shelf.keep(self.pipelines, self.pipelines.live(given.pipeline_id), given, upload, reported)
        return "201 Created"

    async def download_artifacts(self, job: JobPayload, dependency: Dependency, to: Path, attempt: int = 0) -> str:
        if self.shelf is None or not self.shelf.archives([dependency.id]):
            raise FileRefused("404 Not Found")
        await asyncio.to_thread(archives.copy, self.shelf.archive_path(dependency.id), to)
        return "200 OK"

    def _finish(self, job: JobRecord, update: JobUpdate) -> None:
        live, store = self.pipelines.known(job.pipeline_id), self.pipelines.store
        pattern = live.definitions[job.name].extra.get("coverage")
        found = coverage(pattern, store.read_trace(job.id)) if pattern else None
        status: Status = "success" if update.state == "success" else "failed"
        self.pipelines.finished(job, status, update.failure_reason, update.exit_code, found)

    def fail_unmatched(self, runners: list[tuple[frozenset[str], bool]]) -> None:
        """Fails the jobs that have become pending and that none of these runners (their tags, and whether they take
        untagged jobs too) would ever take."""
        new, self._unmatched = self._unmatched, []
        for job in new:
            if self._queue.get(job.id) is not job or not self._is_ours(job):
                continue
            if not any(_matches(job, tags, untagged) for tags, untagged in runners):
                tags = ", ".join(job.tags) or "(it has no tags, and the runners take tagged jobs only)"
                self._refuse(job, f"no runner takes this job: none has its tags: {tags}", "no_matching_runner")

    def _pending(self) -> list[JobRecord]:
        owned = [self.pipelines.known(number) for number in self.pipelines.owned]
        pending = [live.jobs[name] for live in owned for name in live.with_status("pending")]
        pending = [job for job in pending if not job.bridge]
        return sorted(pending, key=lambda job: (job.queued_at or 0, job.id))

    def _give(self, job: JobRecord) -> JobPayload | None:
        if not self.pipelines.started(job, self.runner):
            return None
        live = self.pipelines.known(job.pipeline_id)
        job = live.jobs[job.name]
        self._given[job.id] = job
        self._out.add(job.id)
        if lost := gone(live, job.name):
            self._out.discard(job.id)
            self._refuse(job, f"{COULD_NOT_RETRIEVE}: {', '.join(lost)}", "missing_dependency_failure")
            return None
        try:
            payload = self.make_payload(live, job)
            why = record_start(self.pipelines.store, live, job, payload)
        except EngineError as error:
            self._out.discard(job.id)
            self._refuse(job, str(error), getattr(error, "reason", "runner_configuration_error"))
            return None
        if why:
            self._out.discard(job.id)
            self._refuse(job, why, OUTDATED)
            return None
        promise(self.pipelines.store, live, job, payload)
        return payload

    def _refuse(self, job: JobRecord, why: str, reason: str) -> None:
        """Fails a job that no runner has had, and says why in its log."""
        text = f"ERROR: Job failed: {why}\n".encode()
        self.pipelines.store.write_trace(job.id, 0, text)
        if self.on_trace is not None:
            self.on_trace(job, 0, text)
        self.pipelines.finished(job, "failed", reason)

    def _status(self, job: JobPayload) -> Literal["running", "canceling", "canceled", "failed", "success"]:
        given = self._given[job.id]
        current = self.pipelines.known(given.pipeline_id).jobs[given.name]
        if current.id != job.id:
            return "canceled"
        if current.status in COMPLETED or current.status == "canceling":
            return current.status  # type: ignore[return-value]
        return "running"


def _matches(job: JobRecord, tags: frozenset[str], run_untagged: bool) -> bool:
    return tags.issuperset(job.tags) if job.tags else run_untagged
