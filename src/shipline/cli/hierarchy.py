"""Pipelines that belong together, as people see them: what the jobs of triggered pipelines are called.

A job of a downstream pipeline is called by the trigger job and its own name: `deploy/smoke test`. The names are
unique, and every command that takes a job's name takes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shipline.engine.live import Live
    from shipline.engine.pipelines import Pipelines
    from shipline.engine.records import JobRecord, PipelineRecord
    from shipline.engine.store import Store


class Names:
    """What jobs are called. The topmost pipeline's have their own names."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._prefixes: dict[int, str] = {}

    def of(self, job: JobRecord) -> str:
        """The job's name with the trigger jobs above it."""
        return self.prefix(job.pipeline_id) + job.name

    def prefix(self, pipeline_id: int) -> str:
        """What comes before the names of a pipeline's jobs."""
        if pipeline_id not in self._prefixes:
            record = self.store.pipeline(pipeline_id)
            bridge = self.store.job(record.upstream.job_id) if record is not None and record.upstream else None
            self._prefixes[pipeline_id] = f"{self.of(bridge)}/" if bridge is not None else ""
        return self._prefixes[pipeline_id]


def downstream(live: Live, store: Store) -> Iterator[tuple[JobRecord, Live]]:
    """The trigger jobs of a pipeline with the pipelines that they have made, those of the latest tries."""
    from shipline.engine.live import Live

    for name in live.graph.bridges:
        job = live.jobs[name]
        record = store.pipeline(job.downstream) if job.downstream is not None else None
        if record is not None and record.upstream is not None and record.upstream.job_id == job.id:
            yield job, Live(record, store.jobs(record.id), store.compiled(record.id))


def together(live: Live, store: Store) -> Iterator[Live]:
    """The pipeline and all that it triggered, each followed by what it triggered itself."""
    yield live
    for _, below in downstream(live, store):
        yield from together(below, store)


def found(pipelines: Pipelines, pipeline_id: int, name: str) -> list[JobRecord]:
    """The jobs that a name may mean: one of the pipeline itself, else those of the pipelines below that are called
    so, with the trigger jobs above them or without."""
    live = pipelines.live(pipeline_id)
    if name in live.jobs:
        return [live.jobs[name]]
    matches = []
    for bridge, below in downstream(live, pipelines.store):
        inside = found(pipelines, below.record.id, name.removeprefix(f"{bridge.name}/"))
        if inside and name.startswith(f"{bridge.name}/"):
            return inside
        matches += inside
    return matches


def one(pipelines: Pipelines, pipeline_id: int, name: str) -> JobRecord:
    """The job of that name. Raises EngineError when there is none, or several are called so."""
    from shipline.engine.errors import EngineError

    matches = found(pipelines, pipeline_id, name)
    if len(matches) > 1:
        names = Names(pipelines.store)
        raise EngineError(f"Several jobs are called '{name}': {', '.join(names.of(job) for job in matches)}.")
    return matches[0] if matches else pipelines.job(pipeline_id, name)


def topmost(pipelines: Pipelines, pipeline_id: int) -> PipelineRecord:
    """The pipeline that nothing triggered, above this one."""
    from shipline.engine.hierarchy import ancestors

    return ancestors(pipelines, pipeline_id)[-1]
