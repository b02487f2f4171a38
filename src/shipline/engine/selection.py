"""Some of a pipeline's jobs, as a person asks for them: by name, by stage, with what they need, manual ones too."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from shipline.engine.borrowing import lenders
from shipline.engine.errors import EngineError
from shipline.language.pipeline import Job, Pipeline

MANY = 20
"""How many names an error lists when it also knows the likeliest."""


class Selection(msgspec.Struct, frozen=True):
    """Nothing named: all jobs. `needs`: what the named jobs need runs as well, else needs of jobs that are left out
    are dropped, since somebody who asks for one job wants that one now. `manual`: these manual jobs start by
    themselves; `all_manual`: all of them do. A job's name may be a group's (`test` for `test 1/3`)."""

    jobs: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    needs: bool = False
    manual: tuple[str, ...] = ()
    all_manual: bool = False


def selected(compiled: Pipeline, selection: Selection) -> Pipeline:
    """The pipeline with the jobs of the selection. EngineError where it names what is not there."""
    _check(compiled, selection)
    named = {job.name for job in compiled.jobs if _is_named(job, selection)}
    started = {job.name for job in compiled.jobs if selection.all_manual or _in(job, selection.manual)}
    wanted = {job.name for job in compiled.jobs}
    if selection.jobs or selection.stages:
        by_name = {job.name for job in compiled.jobs if _in(job, selection.jobs)}
        wanted = set(named)
        if selection.needs:
            needed = _needed(compiled, named)
            wanted |= needed
            by_name |= needed
        started |= by_name
    elif not started:
        return compiled
    return _with(compiled, wanted, started)


def chosen(compiled: Pipeline, names: list[str]) -> Pipeline:
    """The pipeline with these jobs only."""
    return selected(compiled, Selection(jobs=tuple(names)))


def _check(compiled: Pipeline, selection: Selection) -> None:
    names = {job.name for job in compiled.jobs} | {job.group_name for job in compiled.jobs if job.group_name}
    for name in (*selection.jobs, *selection.manual):
        if name not in names:
            raise EngineError(_unknown("job", name, names, [job.name for job in compiled.jobs]))
    for stage in selection.stages:
        if stage not in compiled.stages:
            raise EngineError(_unknown("stage", stage, compiled.stages, compiled.stages))


def _unknown(kind: str, name: str, known: Iterable[str], listed: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1)
    has = f" It has: {', '.join(listed)}." if not near or len(listed) <= MANY else ""
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"This pipeline has no {kind} '{name}'.{has}{hint}"


def _is_named(job: Job, selection: Selection) -> bool:
    return _in(job, selection.jobs) or job.stage in selection.stages


def _in(job: Job, names: tuple[str, ...]) -> bool:
    return job.name in names or (job.group_name is not None and job.group_name in names)


def _needed(compiled: Pipeline, named: set[str]) -> set[str]:
    """What the jobs need, and what that needs: by `needs`, else all of the stages before, without what would not
    run there by itself and holds nobody up."""
    jobs = {job.name: job for job in compiled.jobs}
    found: set[str] = set()
    waiting = list(named)
    while waiting:
        job = jobs[waiting.pop()]
        if job.needs is not None:
            before = [need.job for need in job.needs if need.job in jobs and not (need.pipeline or need.project)]
        else:
            before = [
                other.name
                for other in compiled.jobs
                if other.stage_index < job.stage_index
                and other.when != "on_failure"
                and not (other.when == "manual" and other.allow_failure)
            ]
        new = [name for name in before if name not in found and name not in named]
        found.update(new)
        waiting += new
    return found


def _with(compiled: Pipeline, wanted: set[str], started: set[str]) -> Pipeline:
    jobs = []
    for job in compiled.jobs:
        if job.name not in wanted:
            continue
        needs = job.needs
        if needs is not None:
            needs = [need for need in needs if need.job in wanted or need.pipeline or need.project]
        when = job.when
        if job.name in started and when in ("manual", "delayed"):
            when = "on_success"
        borrows = lenders(compiled.jobs, job, wanted)
        jobs.append(msgspec.structs.replace(job, needs=needs, when=when, borrows=borrows))
    stages = [stage for stage in compiled.stages if any(job.stage == stage for job in jobs)]
    return msgspec.structs.replace(compiled, jobs=jobs, stages=stages)
