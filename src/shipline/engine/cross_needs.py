"""Needs of jobs in other pipelines: `needs:pipeline:job`, in the same hierarchy, and `needs:project`, anywhere.

They are met, or not, when the job is about to run: the files must be there by then, since nobody waits for another
pipeline's job.
"""

from __future__ import annotations

from collections.abc import Callable

from shipline.engine import hierarchy
from shipline.engine.dependencies import COULD_NOT_RETRIEVE
from shipline.engine.errors import Refusal
from shipline.engine.live import Live
from shipline.engine.pipelines import Pipelines
from shipline.engine.records import JobRecord
from shipline.language.expansion import expand
from shipline.language.pipeline import Need

REASON = "missing_dependency_failure"
RECENT = 1000
"""Pipelines of another project among which a job is looked for."""

FindProject = Callable[[str], int]
"""From a project's path to its number. Raises Refusal for one that is not there or not for this user."""


def has_any(live: Live, name: str) -> bool:
    """Whether a job needs a job of another pipeline."""
    return any(_is_cross(need) for need in live.definitions[name].needs or ())


def needed(
    pipelines: Pipelines, live: Live, name: str, values: dict[str, str], find_project: FindProject
) -> list[JobRecord]:
    """The jobs of other pipelines whose files a job gets. `values` are its variables. Raises Refusal where one that
    is not optional cannot be had."""
    found = []
    for need in live.definitions[name].needs or ():
        if _is_cross(need):
            try:
                found.append(
                    _of_project(pipelines, need, values, find_project)
                    if need.project
                    else _of_hierarchy(pipelines, live, need, values)
                )
            except Refusal:
                if not need.optional:
                    raise
    return found


def _is_cross(need: Need) -> bool:
    return need.artifacts and bool(need.project or (need.pipeline and need.job))


def _of_hierarchy(pipelines: Pipelines, live: Live, need: Need, values: dict[str, str]) -> JobRecord:
    number = expand(need.pipeline or "", values)
    family = hierarchy.family(pipelines, live.record.id)
    if not number.isdigit() or int(number) not in family:
        raise Refusal(REASON, f"{COULD_NOT_RETRIEVE}: '{number or need.pipeline}' is no pipeline of its hierarchy.")
    return _succeeded(pipelines, int(number), expand(need.job, values)) or _missing(f"pipeline {number}", need.job)


def _of_project(pipelines: Pipelines, need: Need, values: dict[str, str], find_project: FindProject) -> JobRecord:
    path, ref, name = (expand(text or "", values) for text in (need.project, need.ref, need.job))
    for record in pipelines.store.pipelines(find_project(path), RECENT):
        if record.commit.ref == ref and (job := _succeeded(pipelines, record.id, name)) is not None:
            return job
    return _missing(f"project '{path}' at '{ref}'", name)


def _succeeded(pipelines: Pipelines, pipeline_id: int, name: str) -> JobRecord | None:
    jobs = pipelines.store.jobs(pipeline_id)
    return next((job for job in jobs if job.name == name and job.status == "success" and not job.files_gone), None)


def _missing(where: str, name: str) -> JobRecord:
    raise Refusal(REASON, f"{COULD_NOT_RETRIEVE}: {where} has no job '{name}' that succeeded.")
