"""How pipelines belong together: what a trigger job's pipeline does to that job, and what is done to both.

A *child* is a pipeline of the same project, made of files of its commit (source `parent_pipeline`); what is
cancelled takes its children with it. Pipelines of other projects (source `pipeline`) are only followed. Upwards, a
trigger job with a `strategy` takes over how its pipeline ends, and runs again when that one does.

All of it happens inside the transaction of the change that it follows from, so that a process killed at any moment
leaves parents and children that agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shipline.engine import events
from shipline.engine.errors import EngineError
from shipline.engine.records import JobRecord, PipelineRecord, Upstream
from shipline.engine.states import COMPLETED, Status

if TYPE_CHECKING:
    from shipline.engine.live_pipelines import LivePipelines

WAITING: tuple[Status, ...] = ("manual", "scheduled")
"""What a pipeline is that waits for a person or a time; a bridge that mirrors it shows so."""
FINAL_FAILURES = ("pipeline_loop_detected", "reached_max_descendant_pipelines_depth")
"""Why a trigger job failed in vain: another try would fail in the same way."""


def follows(job: JobRecord) -> bool:
    """Whether a job runs only in so far as its pipeline does."""
    return job.status == "running" and job.downstream is not None


def never_retried(job: JobRecord) -> bool:
    return job.status == "failed" and job.failure_reason in FINAL_FAILURES


def check_retryable(job: JobRecord) -> None:
    """Raises EngineError for a job of which another try makes no sense."""
    if never_retried(job):
        why = (job.failure_reason or "").replace("_", " ")
        raise EngineError(f"Job '{job.name}' cannot be retried: {why}; it would fail in the same way.")


def check_playable(job: JobRecord) -> None:
    """Raises EngineError for a trigger job that only shows that a job of its pipeline waits for somebody."""
    if job.downstream is not None:
        raise EngineError(f"Job '{job.name}' waits for its pipeline {job.downstream}: start the job there.")


def upstream_of(pipelines: LivePipelines, bridge: JobRecord) -> Upstream:
    """What a pipeline remembers of the trigger job that it is made for."""
    return Upstream(bridge.pipeline_id, bridge.id, pipelines.live(bridge.pipeline_id).record.project_id)


def check_waiting(pipelines: LivePipelines, bridge: JobRecord) -> None:
    """Raises EngineError unless the trigger job still waits for its pipeline: it may have been cancelled."""
    current = pipelines.job(bridge.pipeline_id, bridge.name)
    if current.id != bridge.id or current.status != "running" or current.downstream is not None:
        raise EngineError(f"Job '{bridge.name}' no longer waits for a pipeline: it is {current.status}.")


def link(pipelines: LivePipelines, bridge: JobRecord, pipeline_id: int) -> None:
    """The trigger job has its pipeline now. Without a strategy, that is all that it is for."""
    with pipelines.changing(bridge.pipeline_id) as change:
        change.set(bridge.name, downstream=pipeline_id)
        if strategy(pipelines, bridge) is None:
            events.finish(change.graph, change.states, bridge.name, "success")


def strategy(pipelines: LivePipelines, bridge: JobRecord) -> str | None:
    """How a bridge follows its pipeline: `depend`, `mirror`, or None: not at all."""
    trigger = pipelines.live(bridge.pipeline_id).definitions[bridge.name].trigger
    return trigger.get("strategy") if trigger else "mirror"


def followed(strategy: str | None, status: Status) -> Status | None:
    """What a pipeline's status makes of the bridge that follows it; None leaves the bridge as it is."""
    if strategy is None:
        return None
    if status == "skipped":
        return "skipped" if strategy == "mirror" else "failed"
    if status in COMPLETED or (status in WAITING and strategy == "mirror"):
        return status
    return "running"


def tell_upstream(pipelines: LivePipelines, record: PipelineRecord) -> None:
    """The bridge that follows a pipeline learns of its new status. One that is over stays as it is: only somebody
    who wants jobs of the pipeline run again opens it (`reopen`)."""
    bridge = _bridge_of(pipelines, record)
    if bridge is None or (bridge.status not in WAITING and not follows(bridge)):
        return
    status = followed(strategy(pipelines, bridge), record.status)
    if status is None or status == bridge.status:
        return
    auto_cancel = pipelines.live(bridge.pipeline_id).compiled.auto_cancel.get("on_job_failure") == "all"
    with pipelines.changing(bridge.pipeline_id) as change:
        if status in COMPLETED:
            events.finish(change.graph, change.states, bridge.name, status, cancel_others=auto_cancel)
        else:
            events.follow(change.graph, change.states, bridge.name, status)
        doomed = auto_cancel and status == "failed" and not change.states.allow_failure[bridge.name]
    if doomed:
        cancel_children(pipelines, bridge.pipeline_id)


def begin_again(pipelines: LivePipelines, bridge: JobRecord) -> None:
    """A trigger job whose pipeline was being made by a process that died is to be started once more."""
    with pipelines.changing(bridge.pipeline_id) as change:
        current = change.job(bridge.name)
        if current.id == bridge.id and current.status == "running" and current.downstream is None:
            events.follow(change.graph, change.states, bridge.name, "pending")


def mirror(pipelines: LivePipelines, bridge: JobRecord, pipeline_id: int) -> None:
    """The bridge shows the status of a pipeline that it did not make, from now on."""
    with pipelines.changing(bridge.pipeline_id) as change:
        change.set(bridge.name, downstream=pipeline_id)
    look_at_mirrored(pipelines, bridge.pipeline_id)


def look_at_mirrored(pipelines: LivePipelines, pipeline_id: int) -> bool:
    """Brings a pipeline's mirrors up to date; gives whether one of them waits for a pipeline that is busy."""
    live, waits = pipelines.live(pipeline_id), False
    for name in live.graph.bridges:
        job = live.jobs[name]
        if live.definitions[name].trigger or job.downstream is None or job.status not in ("running", *WAITING):
            continue
        mirrored = pipelines.store.pipeline(job.downstream)
        status = followed("mirror", mirrored.status) if mirrored is not None else "canceled"
        waits = waits or (status in ("running", "scheduled") and pipelines.live(job.downstream).busy())
        if status is not None and status != job.status:
            with pipelines.changing(pipeline_id) as change:
                events.follow(change.graph, change.states, name, status)
    return waits


def reopen(pipelines: LivePipelines, record: PipelineRecord) -> None:
    """Somebody has started jobs of a pipeline again: the bridges that follow it, all the way up, run again too."""
    bridge = _bridge_of(pipelines, record)
    status = followed(strategy(pipelines, bridge), record.status) if bridge is not None else None
    if bridge is None or status is None or status in COMPLETED:
        return
    if bridge.status in COMPLETED or bridge.status in WAITING:
        with pipelines.changing(bridge.pipeline_id) as change:
            events.follow(change.graph, change.states, bridge.name, status)
            change.set(bridge.name, failure_reason=None, finished_at=None)
        reopen(pipelines, pipelines.live(bridge.pipeline_id).record)


def _bridge_of(pipelines: LivePipelines, record: PipelineRecord) -> JobRecord | None:
    """The bridge that follows a pipeline; None where there is none, or a newer try follows another pipeline."""
    if record.upstream is None:
        return None
    try:
        jobs = pipelines.live(record.upstream.pipeline_id).jobs.values()
    except EngineError:  # the pipeline above has been deleted
        return None
    return next((job for job in jobs if job.id == record.upstream.job_id and job.downstream == record.id), None)


def cancel_children(pipelines: LivePipelines, pipeline_id: int, name: str | None = None) -> None:
    """Cancels the child pipelines of a pipeline, or of one of its jobs, and theirs."""
    for child in list(children(pipelines, pipeline_id, name)):
        with pipelines.changing(child) as change:
            events.cancel(change.graph, change.states, change.graph.nodes)
        cancel_children(pipelines, child)


def failed_children(pipelines: LivePipelines, pipeline_id: int) -> Iterator[tuple[str, int]]:
    """The failed trigger jobs of a pipeline that follow a child, by name, each with the number of its child."""
    live = pipelines.live(pipeline_id)
    for name in live.graph.bridges:
        job = live.jobs[name]
        if job.status not in ("failed", "canceled") or strategy(pipelines, job) is None:
            continue
        child = _made_by(pipelines, job)
        if child is not None and child.source == "parent_pipeline":
            yield name, child.id


def children(pipelines: LivePipelines, pipeline_id: int, name: str | None = None) -> Iterator[int]:
    """The numbers of a pipeline's child pipelines, or of those that one of its jobs has made."""
    for job in bridges(pipelines, pipeline_id):
        made = _made_by(pipelines, job) if name in (None, job.name) else None
        if made is not None and made.source == "parent_pipeline":
            yield made.id


def bridges(pipelines: LivePipelines, pipeline_id: int) -> list[JobRecord]:
    """All tries of a pipeline's bridges."""
    live = pipelines.live(pipeline_id)
    if not live.graph.bridges:
        return []
    return [job for job in pipelines.store.jobs(pipeline_id, all_tries=True) if job.bridge]


def ancestors(pipelines: LivePipelines, pipeline_id: int, same_project: bool = False) -> list[PipelineRecord]:
    """The pipeline and those above it, nearest first; `same_project`: only as far as children go."""
    record = pipelines.live(pipeline_id).record
    found = [record]
    while record.upstream is not None and not (same_project and record.source != "parent_pipeline"):
        above = pipelines.store.pipeline(record.upstream.pipeline_id)
        if above is None:
            break
        record = above
        found.append(record)
    return found


def family(pipelines: LivePipelines, pipeline_id: int) -> list[int]:
    """The numbers of all pipelines that belong together with this one, each after the one that made it."""
    found = [ancestors(pipelines, pipeline_id)[-1].id]
    for number in found:
        made = (_made_by(pipelines, job) for job in bridges(pipelines, number))
        found += [record.id for record in made if record is not None]
    return found


def _made_by(pipelines: LivePipelines, bridge: JobRecord) -> PipelineRecord | None:
    """The pipeline that a bridge has made; None for one that has made none, or only mirrors one."""
    record = pipelines.store.pipeline(bridge.downstream) if bridge.downstream is not None else None
    if record is None or record.upstream is None or record.upstream.job_id != bridge.id:
        return None
    return record
