"""The pipelines of a store and everything that can happen to them: the engine as the rest of the house sees it.

Each method is one change, or several in one transaction (see `live_pipelines`). A pipeline's jobs are run by one
process at a time, the one that its record names; `adopt` and `release` pass it on, `settle` finds those whose
process has died.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from shipline.engine import deployments, events, hierarchy
from shipline.engine.graph import graph_of
from shipline.engine.live import Inputs, Live, Variables, new_job, new_pipeline
from shipline.engine.live_pipelines import LivePipelines
from shipline.engine.processing import new_states, process
from shipline.engine.records import Commit, JobRecord, PipelineRecord, PipelineVariable, Project, Report
from shipline.engine.redundant import is_older, redundant_jobs
from shipline.engine.retries import tried_again
from shipline.engine.states import ACTIVE, COMPLETED, Status
from shipline.engine.store import Store
from shipline.language.pipeline import Pipeline

if TYPE_CHECKING:
    from shipline.engine.publishing import Publishing


class Pipelines(LivePipelines):
    """`publishing` publishes what jobs that succeed are to publish."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        super().__init__(store, clock)
        self.publishing: Publishing | None = None
        self.families: dict[int, int] = {}  # by the topmost pipeline: how many have been made or asked for

    def status_changed(self, record: PipelineRecord) -> None:
        hierarchy.tell_upstream(self, record)

    def create(
        self,
        project: Project,
        commit: Commit,
        compiled: Pipeline,
        source: str = "push",
        variables: list[PipelineVariable] | None = None,
        upstream: JobRecord | None = None,
        **circumstances: Any,
    ) -> PipelineRecord:
        """A new pipeline, processed once: what may start is pending. This process runs it.

        `upstream`: the trigger job that it is made for, which follows it from then on. Raises EngineError when that
        job is no longer waiting for its pipeline. `circumstances`: more of what `PipelineRecord` remembers.
        """
        now = self.clock()
        states = new_states(graph_of(compiled.jobs), {job.name: job.allow_failure for job in compiled.jobs})
        circumstances |= {"source": source, "stages": states.stages, "variables": variables or []}
        circumstances["upstream"] = hierarchy.upstream_of(self, upstream) if upstream else None
        record = new_pipeline(project.id, commit, compiled, now, process=self.store.process, **circumstances)
        with self.store.transaction():
            if upstream:
                hierarchy.check_waiting(self, upstream)
            record, jobs = self.store.add_pipeline(record, compiled, [new_job(job, now) for job in compiled.jobs])
            self.add(Live(record, jobs, compiled), told=upstream is not None)
            self.owned.add(record.id)
            deployments.announce(self.store, project.id, compiled, now)
            if upstream:
                hierarchy.link(self, upstream, record.id)
            with self.changing(record.id) as change:
                process(change.graph, change.states)
            if source != "parent_pipeline":
                self._cancel_redundant(record)
        return self.live(record.id).record

    def _cancel_redundant(self, new: PipelineRecord) -> None:
        """A newer commit of a branch cancels what still runs for older ones, as far as they let it."""
        for old in self.store.unfinished(new.project_id, new.ref):
            if is_older(old, new) and (names := redundant_jobs(self.live(old.id))):
                with self.changing(old.id) as change:
                    events.cancel(change.graph, change.states, names)

    def started(self, job: JobRecord, runner: str | None) -> bool:
        """A runner takes the job (None: nobody does, it is a bridge); False when it is no longer there to be
        taken."""
        with self.changing(job.pipeline_id) as change:
            if change.job(job.name).id != job.id or change.job(job.name).status != "pending":
                return False
            events.run(change.graph, change.states, job.name)
            change.set(job.name, runner=runner, process=self.store.process)
        return True

    def finished(
        self,
        job: JobRecord,
        status: Status,
        failure_reason: str | None = None,
        exit_code: int | None = None,
        coverage: float | None = None,
    ) -> None:
        """A runner reports how the job ended, with the test coverage that its log tells. A job that was being
        cancelled is canceled, whatever is reported; one that is over already stays as it is."""
        doomed = False
        if status == "success" and self.publishing and not self.publishing.succeeded(self, job):
            status, failure_reason = "failed", "script_failure"
        with self.changing(job.pipeline_id) as change:
            current = change.job(job.name)
            if current.id != job.id or current.status in COMPLETED:
                return
            if current.status == "canceling":
                events.finish(change.graph, change.states, job.name, "canceled")
                return
            definition = change.live.definitions[job.name]
            fields = {"failure_reason": failure_reason, "exit_code": exit_code, "coverage": coverage}
            if status != "failed":
                change.set(job.name, exit_code=exit_code, coverage=coverage)
                events.finish(change.graph, change.states, job.name, status)
            elif tried_again(definition.retry, current.attempt, failure_reason, exit_code):
                ended = msgspec.structs.replace(current, status=status, finished_at=change.now, **fields)
                change.replace(job.name, ended)
                change.states.jobs[job.name] = "failed"
                events.retry(change.graph, change.states, job.name)
            else:
                change.set(job.name, **fields)
                if exit_code in definition.allow_failure_exit_codes:
                    change.states.allow_failure[job.name] = True
                cancel_others = change.live.compiled.auto_cancel.get("on_job_failure") == "all"
                events.finish(change.graph, change.states, job.name, status, cancel_others=cancel_others)
                doomed = cancel_others and not change.states.allow_failure[job.name]
        if doomed:
            hierarchy.cancel_children(self, job.pipeline_id)

    def reported(self, job: JobRecord, dotenv: list[PipelineVariable] | None, report: Report | None) -> None:
        """A running job leaves variables for later ones, or a report."""
        with self.changing(job.pipeline_id) as change:
            current = change.job(job.name)
            if current.id != job.id:
                return
            if dotenv is not None:
                change.set(job.name, dotenv=dotenv)
            if report is not None:
                others = [each for each in current.reports if each.kind != report.kind]
                change.set(job.name, reports=[*others, report])

    def debugged(self, job: JobRecord) -> None:
        """The runner says that the log of the running job shows the job's variables."""
        with self.changing(job.pipeline_id) as change:
            if change.job(job.name).id == job.id:
                change.set(job.name, debug=True)

    def play(self, pipeline_id: int, name: str, variables: Variables = None, inputs: Inputs = None) -> JobRecord:
        """A person starts a manual or delayed job, perhaps with variables of its own, or inputs."""
        hierarchy.check_playable(self.job(pipeline_id, name))
        with self.store.transaction():
            with self.changing(pipeline_id) as change:
                events.play(change.graph, change.states, name)
                change.give(name, variables, inputs)
            hierarchy.reopen(self, change.live.record)
        return self.job(pipeline_id, name)

    def retry(self, pipeline_id: int, name: str, variables: Variables = None, inputs: Inputs = None) -> JobRecord:
        """A person wants a job that has ended run again, perhaps with other variables or inputs."""
        hierarchy.check_retryable(self.job(pipeline_id, name))
        with self.store.transaction():
            with self.changing(pipeline_id) as change:
                events.retry(change.graph, change.states, name)
                change.give(name, variables, inputs)
                change.replace(name)
            hierarchy.reopen(self, change.live.record)
        return self.job(pipeline_id, name)

    def retry_failed(self, pipeline_id: int) -> list[str]:
        """A person wants all that failed or was cancelled run again; gives the names of these jobs. Where that was
        in a child pipeline, its jobs are tried again rather than a new child made."""
        with self.store.transaction():
            below = hierarchy.failed_children(self, pipeline_id)
            resumed = [name for name, child in below if self.retry_failed(child)]
            with self.changing(pipeline_id) as change:
                kept = {name for name in change.graph.bridges if hierarchy.never_retried(change.job(name))}
                again = events.retry_pipeline(change.graph, change.states, kept)
                for name in again:
                    change.replace(name)
            hierarchy.reopen(self, change.live.record)
        return resumed + again

    def cancel(self, pipeline_id: int, name: str | None = None) -> None:
        """Cancels a job, or all of the pipeline, and the child pipelines of what is cancelled. What runs is
        `canceling` until its runner has let go."""
        if name is not None:
            self.job(pipeline_id, name)
        with self.store.transaction():
            with self.changing(pipeline_id) as change:
                events.cancel(change.graph, change.states, [name] if name else change.graph.nodes)
            hierarchy.cancel_children(self, pipeline_id, name)

    def abandon(self, job: JobRecord) -> None:
        """Ends a job that is being cancelled without waiting for its runner any longer."""
        with self.changing(job.pipeline_id) as change:
            if change.job(job.name).id == job.id and change.job(job.name).status == "canceling":
                events.finish(change.graph, change.states, job.name, "canceled")

    def adopt(self, pipeline_id: int) -> bool:
        """Makes this process the one that runs the pipeline and all that belongs to it, unless another that lives
        does."""
        with self.store.transaction():
            family = hierarchy.family(self, pipeline_id)
            owners = {self.live(number).record.process for number in family} - {self.store.process}
            if any(self.store.alive(owner) for owner in owners):
                return False
            for number in family:
                self._set_process(number, self.store.process)
        self.owned.update(family)
        return True

    def release(self, pipeline_id: int) -> bool:
        """Lets go of a pipeline, and all that belongs to it, when nothing is left to do; False when there is
        something."""
        with self.store.transaction():
            family = [number for number in hierarchy.family(self, pipeline_id) if number in self.owned]
            waits = [number for number in family if hierarchy.look_at_mirrored(self, number)]
            if waits or any(self.live(number).busy() for number in family):
                return False
            for number in family:
                self._set_process(number, None)
        self.owned.difference_update(family)
        return True

    def _set_process(self, pipeline_id: int, process: str | None) -> None:
        with self.changing(pipeline_id) as change:
            change.live.record = msgspec.structs.replace(change.live.record, process=process)

    def give_up(self) -> None:
        """Ends what this process still has to do with its pipelines: nobody goes on with them."""
        for pipeline_id in sorted(self.owned):
            if pipeline_id not in self.owned:
                continue  # let go of together with the one that it belongs to
            self.cancel(pipeline_id)
            for name in self.live(pipeline_id).with_status("canceling"):
                self.abandon(self.live(pipeline_id).jobs[name])
            self.release(pipeline_id)

    def settle(self) -> list[tuple[PipelineRecord, list[JobRecord]]]:
        """Ends what processes left that died: what ran has failed (`runner_interrupted`), what waited for a runner
        is canceled. Gives each such pipeline with those jobs; nothing of it is run again by itself. Children come
        before what they belong to, which so learns how they ended."""
        settled = []
        for record in reversed(self.store.unfinished()):
            if record.process is None or self.store.alive(record.process):
                continue
            with self.changing(record.id) as change:
                left = [name for name, status in change.states.jobs.items() if status in ACTIVE]
                left = [name for name in left if not hierarchy.follows(change.job(name))]
                for name in left:
                    ran = change.states.jobs[name] == "running"
                    change.states.jobs[name] = "failed" if ran else "canceled"
                    if ran:
                        change.set(name, failure_reason="runner_interrupted")
                process(change.graph, change.states)
                events.cancel(change.graph, change.states, change.graph.nodes)
                change.live.record = msgspec.structs.replace(change.live.record, process=None)
            live = self.live(record.id)
            settled.append((live.record, [live.jobs[name] for name in left]))
        return settled[::-1]

    def tick(self) -> float | None:
        """Does what is due: delayed jobs, resources that have come free. Gives the seconds until the next delayed
        job, None when there is none."""
        now = self.clock()
        next_due: float | None = None
        for pipeline_id in sorted(self.owned):
            live = self.live(pipeline_id)
            waiting = (live.jobs[name] for name in live.with_status("scheduled"))
            for job in [job for job in waiting if job.downstream is None]:  # else its pipeline's job waits
                wait = (job.scheduled_at or now) - now
                if wait <= 0:
                    with self.changing(pipeline_id) as change:
                        if change.states.jobs[job.name] == "scheduled":
                            events.due(change.graph, change.states, job.name)
                else:
                    next_due = min(wait, next_due if next_due is not None else wait)
            if live.with_status("waiting_for_resource"):
                with self.changing(pipeline_id):
                    pass
        return next_due

    def files_gone(self, job_id: int) -> None:
        """What a job left has been erased, or has expired."""
        job = self.store.job(job_id)
        if job is None:
            return
        with self.changing(job.pipeline_id) as change:
            if job.name in change.live.jobs and change.job(job.name).id == job_id:
                change.set(job.name, files_gone=True)

    def rename(self, pipeline_id: int, name: str) -> None:
        """Gives the pipeline another name."""
        with self.changing(pipeline_id) as change:
            change.live.record = msgspec.structs.replace(change.live.record, name=name)
