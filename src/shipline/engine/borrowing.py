"""Files of jobs that are not part of a pipeline: somebody runs one job alone, and it gets what the jobs before it
left in the newest pipeline of the same commit, else of the same ref."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from shipline.engine.dependencies import Shelf
from shipline.engine.live import Live
from shipline.engine.records import Commit, JobRecord
from shipline.engine.store import Store
from shipline.language.pipeline import Job

RECENT = 50
"""Pipelines that are looked through."""


def lenders(jobs: list[Job], job: Job, present: Collection[str]) -> list[str]:
    """Of all jobs of a configuration, those that leave files which `job` gets, and that are not `present`."""
    if job.needs is not None:
        wanted = {need.job for need in job.needs if need.artifacts and not (need.pipeline or need.project)}
    else:
        wanted = {other.name for other in jobs if other.stage_index < job.stage_index}
    if job.dependencies is not None:
        wanted &= set(job.dependencies)
    return [other.name for other in jobs if other.artifacts and other.name in wanted - set(present)]


def borrowed(store: Store, shelf: Shelf, live: Live, name: str) -> list[JobRecord]:
    """The jobs of earlier pipelines whose files the job gets."""
    names, record = live.definitions[name].borrows, live.record
    if not names:
        return []
    found = _found(store, shelf, record.project_id, record.commit, names, record.id)
    return [found[each] for each in names if each in found]


def missing(store: Store, shelf: Shelf, project_id: int, commit: Commit, job: Job) -> list[str]:
    """The jobs whose files the job would get and of which there are none here."""
    found = _found(store, shelf, project_id, commit, job.borrows) if job.borrows else {}
    return [each for each in job.borrows if each not in found]


def _found(
    store: Store, shelf: Shelf, project_id: int, commit: Commit, names: list[str], before: int | None = None
) -> dict[str, JobRecord]:
    """The newest job of each name that left something."""
    left = set(names)
    found: dict[str, JobRecord] = {}
    for pipeline_id in _candidates(store, project_id, commit, before):
        if not left:
            break
        jobs = {job.id: job for job in store.jobs(pipeline_id) if job.name in left}
        archives = shelf.archives(jobs) if jobs else {}
        for job in jobs.values():
            if job.id in archives or job.dotenv:
                found[job.name] = job
                left.discard(job.name)
    return found


def _candidates(store: Store, project_id: int, commit: Commit, before: int | None) -> Iterator[int]:
    """The project's pipelines of the commit, newest first, and then those of the ref."""
    records = [each for each in store.pipelines(project_id, RECENT) if before is None or each.id < before]
    yield from (each.id for each in records if each.commit.sha == commit.sha)
    for each in records:
        if each.commit.sha != commit.sha and (each.commit.ref, each.commit.is_tag) == (commit.ref, commit.is_tag):
            yield each.id
