"""One pipeline in memory, and one change of it on its way to the store.

Between the records of the store and the values that the state machine works on: `Change` makes `States` of the
records, lets an event have its way with them, and makes new records of what came out, with their times.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from shipline.engine.graph import Graph, graph_of, is_bridge
from shipline.engine.processing import States
from shipline.engine.records import Commit, JobRecord, PipelineRecord, PipelineVariable
from shipline.engine.states import ACTIVE, COMPLETED, Status
from shipline.language.pipeline import Job, Pipeline

Variables = list[PipelineVariable] | None
Inputs = dict[str, Any] | None
"""What a person may give a job that is started by hand, or once more."""

V = TypeVar("V")


class Live:
    """A pipeline, the latest try of each of its jobs by name, and what was compiled for it.

    `states` is what the state machine starts from at the next change.
    """

    def __init__(self, record: PipelineRecord, jobs: list[JobRecord], compiled: Pipeline) -> None:
        self.record = record
        self.jobs = {job.name: job for job in jobs}
        self.compiled = compiled
        self.definitions: dict[str, Job] = {job.name: job for job in compiled.jobs}
        self.graph: Graph = graph_of(compiled.jobs)
        self.states = States(
            jobs={name: self.jobs[name].status for name in self.graph.nodes},
            allow_failure={job.name: job.allow_failure for job in jobs},
            stages=record.stages,
            pipeline=record.status,
            start_at_once={job.name for job in jobs if job.start_at_once},
        )
        self._by_status: dict[Status, set[str]] = {}
        for name, status in self.states.jobs.items():
            self._by_status.setdefault(status, set()).add(name)

    def with_status(self, *statuses: Status) -> list[str]:
        """The names of the jobs that have one of these statuses, in the graph's order."""
        names = [name for status in statuses for name in self._by_status.get(status, ())]
        return sorted(names, key=self.graph.place.__getitem__)

    def busy(self) -> bool:
        """Whether something runs, or will by itself. A bridge that follows another pipeline does nothing itself."""
        for status in (*ACTIVE, "scheduled"):
            for name in self._by_status.get(status, ()):
                if status not in ("running", "scheduled") or self.jobs[name].downstream is None:
                    return True
        return False

    def take(self, record: PipelineRecord, jobs: list[JobRecord]) -> None:
        """Puts newer records in the place of those that are here."""
        self.record = record
        self.states.stages, self.states.pipeline = record.stages, record.status
        for job in jobs:
            self.jobs[job.name] = job
            self._by_status[self.states.jobs[job.name]].discard(job.name)
            self._by_status.setdefault(job.status, set()).add(job.name)
            self.states.jobs[job.name] = job.status
            self.states.allow_failure[job.name] = job.allow_failure
            self.states.start_at_once.discard(job.name)
            if job.start_at_once:
                self.states.start_at_once.add(job.name)


class _Noted(dict[str, V]):
    """A dict that notes which keys are written: few of many jobs change at a time."""

    def __init__(self, content: dict[str, V]) -> None:
        super().__init__(content)
        self.noted: set[str] = set()

    def __setitem__(self, key: str, value: V) -> None:
        self.noted.add(key)
        super().__setitem__(key, value)


class Change:
    """What happens to a pipeline inside one transaction.

    Events change `states`. `fields` holds what else becomes of a job's record, by the job's name. `replaced` are
    tries that a new one takes the place of, as they are to be remembered.
    """

    def __init__(self, live: Live, now: float) -> None:
        self.live = live
        self.now = now
        self.graph = live.graph
        self.fields: dict[str, dict[str, Any]] = {}
        self.replaced: dict[str, JobRecord] = {}
        self.states = live.states.copy()
        self.states.jobs = self._jobs = _Noted(self.states.jobs)
        self.states.allow_failure = self._allow_failure = _Noted(self.states.allow_failure)

    def job(self, name: str) -> JobRecord:
        return self.live.jobs[name]

    def set(self, name: str, **fields: Any) -> None:
        """Remembers more about a job than its state."""
        self.fields.setdefault(name, {}).update(fields)

    def give(self, name: str, variables: Variables, inputs: Inputs) -> None:
        """What the person who starts a job gives it. Raises EngineError for inputs that the job does not take."""
        if variables:
            self.set(name, variables=variables)
        if inputs:
            from shipline.engine.job_inputs import checked

            values = checked(self.live.definitions[name], {**self.live.jobs[name].inputs, **inputs})
            known = self.live.jobs[name].inputs.keys() | inputs.keys()
            self.set(name, inputs={key: value for key, value in values.items() if key in known})

    def replace(self, name: str, ended: JobRecord | None = None) -> None:
        """A new try is to take the place of this one, which ended as `ended` says, or as it is recorded."""
        self.replaced[name] = ended or self.live.jobs[name]
        self.states.allow_failure[name] = self.live.definitions[name].allow_failure

    def new_tries(self) -> list[JobRecord]:
        """The records of the tries that replace others, without an id yet."""
        return [self._job(name, _next_try(self.live.jobs[name], self.now)) for name in self.replaced]

    def changed_jobs(self) -> list[JobRecord]:
        """The other records that are not as they were."""
        old, new = self.live.states, self.states
        names = {name for name in self._jobs.noted if new.jobs[name] != old.jobs[name]}
        names |= {name for name in self._allow_failure.noted if new.allow_failure[name] != old.allow_failure[name]}
        names |= (new.start_at_once ^ old.start_at_once) | self.fields.keys()
        names -= self.replaced.keys()
        return [self._job(name, self.live.jobs[name]) for name in sorted(names, key=self.graph.place.__getitem__)]

    def pipeline(self) -> PipelineRecord:
        """The pipeline's new record."""
        old, status = self.live.record, self.states.pipeline
        if status == old.status and self.states.stages == old.stages:
            return old
        started = old.started_at or (self.now if status == "running" else None)
        finished = self.now if status in COMPLETED else None
        return msgspec.structs.replace(
            old, status=status, stages=self.states.stages, started_at=started, finished_at=finished
        )

    def _job(self, name: str, old: JobRecord) -> JobRecord:
        status = self.states.jobs[name]
        fields: dict[str, Any] = dict(self.fields.get(name, {}))
        if status != old.status:
            fields |= {"status": status} | self._times(name, status)
        if (at_once := name in self.states.start_at_once) != old.start_at_once:
            fields["start_at_once"] = at_once
        if (allowed := self.states.allow_failure[name]) != old.allow_failure:
            fields["allow_failure"] = allowed
        return msgspec.structs.replace(old, **fields) if fields else old

    def _times(self, name: str, status: Status) -> dict[str, Any]:
        match status:
            case "pending":
                return {"queued_at": self.now}
            case "running":
                return {"started_at": self.now}
            case "scheduled" if self.live.jobs[name].downstream is None:
                return {"scheduled_at": self.now + (self.live.definitions[name].start_in or 0)}
            case "created":
                return {"finished_at": None}
            case _ if status in COMPLETED:
                return {"finished_at": self.now}
            case _:
                return {}


def _next_try(old: JobRecord, now: float) -> JobRecord:
    return JobRecord(
        id=0,
        pipeline_id=old.pipeline_id,
        name=old.name,
        stage=old.stage,
        when=old.when,
        created_at=now,
        attempt=old.attempt + 1,
        allow_failure=old.allow_failure,
        resource_group=old.resource_group,
        tags=old.tags,
        variables=old.variables,
        inputs=old.inputs,
        bridge=old.bridge,
    )


def new_pipeline(project_id: int, commit: Commit, compiled: Pipeline, now: float, **more: Any) -> PipelineRecord:
    """A pipeline that is not in the store yet; `more` is what `PipelineRecord` remembers besides."""
    more.setdefault("iid", 0)
    return PipelineRecord(0, project_id=project_id, commit=commit, created_at=now, name=compiled.name, **more)


def new_job(job: Job, now: float) -> JobRecord:
    """The first try of a job, not in a pipeline yet."""
    return JobRecord(
        id=0,
        pipeline_id=0,
        name=job.name,
        stage=job.stage,
        when=job.when,
        created_at=now,
        allow_failure=job.allow_failure,
        resource_group=job.resource_group,
        tags=job.tags,
        bridge=is_bridge(job),
    )
