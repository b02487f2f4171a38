"""Artifacts in a job's payload: what a runner is to keep of it, and what it is to fetch of earlier jobs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from shipline.engine.live import Live
from shipline.engine.records import JobRecord, PipelineVariable
from shipline.engine.report_types import FILE_NAMES, FORMATS
from shipline.language.pipeline import Job
from shipline.protocol import payload as protocol

COULD_NOT_RETRIEVE = "This job could not start because it could not retrieve the needed artifacts"


class Archive(msgspec.Struct, frozen=True):
    """What a job left that later jobs may fetch. `size` in bytes."""

    filename: str
    size: int


class Shelf(Protocol):
    """Where the files are that jobs left."""

    def archives(self, job_ids: Collection[int]) -> Mapping[int, Archive]:
        """Of these jobs, the archives that are there."""


def uploads(artifacts: dict[str, Any]) -> list[protocol.Artifacts]:
    """What `artifacts:` says, in the form that runners get: the archive first, then each report."""
    found: list[protocol.Artifacts] = []
    if artifacts.get("paths") or artifacts.get("untracked"):
        found.append(
            protocol.Artifacts(
                paths=artifacts.get("paths"),
                exclude=artifacts.get("exclude") or msgspec.UNSET,
                name=artifacts.get("name"),
                untracked=artifacts.get("untracked", msgspec.UNSET),
                when=artifacts.get("when"),
                expire_in=artifacts.get("expire_in"),
                artifact_type="archive",
                artifact_format="zip",
            )
        )
    for kind, paths in (artifacts.get("reports") or {}).items():
        if kind == "coverage_report":
            kind, paths = paths["coverage_format"], [paths["path"]]
        found.append(
            protocol.Artifacts(
                paths=paths,
                name=FILE_NAMES[kind],
                when="always",
                expire_in=artifacts.get("expire_in"),
                artifact_type=kind,
                artifact_format=FORMATS[kind],
            )
        )
    return found


def sources(live: Live, definition: Job) -> list[JobRecord]:
    """The jobs of this pipeline whose files a job gets, in the order of their numbers: those that it needs, else
    all of earlier stages; of these, those that `dependencies` names."""
    if definition.needs is not None:
        wanted = {need.job for need in definition.needs if need.artifacts and not (need.pipeline or need.project)}
        names: Iterable[str] = (name for name in live.graph.nodes if name in wanted)
    else:
        before = definition.stage_index
        names = (name for name, node in live.graph.nodes.items() if node.stage_index < before)
    if definition.dependencies is not None:
        listed = set(definition.dependencies)
        names = (name for name in names if name in listed)
    return sorted((live.jobs[name] for name in names), key=lambda job: job.id)


def gone(live: Live, name: str) -> list[str]:
    """The jobs whose files a job gets and whose files were there once and are no more."""
    return [job.name for job in sources(live, live.definitions[name]) if job.files_gone]


def dependencies(
    live: Live, jobs: Iterable[JobRecord], shelf: Shelf | None, token: str
) -> list[protocol.Dependency]:
    """The jobs as a runner gets them. `token` is that of the job which is about to run."""
    jobs = list(jobs)
    leaving = [job.id for job in jobs if job.pipeline_id != live.record.id or live.definitions[job.name].artifacts]
    archives = shelf.archives(leaving) if shelf is not None and leaving else {}
    found = []
    for job in jobs:
        archive = archives.get(job.id)
        file = protocol.ArtifactsFile(archive.filename, archive.size) if archive else None
        found.append(protocol.Dependency(job.id, job.name, token, file))
    return found


def reported(jobs: Iterable[JobRecord]) -> list[PipelineVariable]:
    """The variables that jobs have reported (`artifacts:reports:dotenv`); of two with one name the last wins."""
    return [variable for job in jobs for variable in job.dotenv]
