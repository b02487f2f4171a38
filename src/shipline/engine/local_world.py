"""Downstream pipelines on a user's machine: children of the commit that runs, and pipelines of other repositories.

Another project is a directory: the one given for its path (`--project`), else one whose place among directories is
the project's among projects (`~/src/group/app` triggers `group/tools/lint` in `~/src/group/tools/lint`), else a
repository of the project's name beside the one that runs, unless its `origin` says that it is another project.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from shipline.engine.bridges import Asked
from shipline.engine.children import (
    WithArtifacts,
    checked,
    compile_child,
    context_of_child,
    note_warnings,
    with_upstream,
)
from shipline.engine.creation import CONFIG_FILE, Request, context_of, lean
from shipline.engine.cross_needs import REASON
from shipline.engine.errors import EngineError, Refusal
from shipline.engine.hierarchy import ancestors
from shipline.engine.job_variables import Facts
from shipline.engine.live import Live
from shipline.engine.numbering import reserved
from shipline.engine.pipelines import Pipelines
from shipline.engine.records import Commit, JobRecord, PipelineRecord, Project, ProjectVariable
from shipline.engine.repository import Repository
from shipline.engine.shelf import LocalShelf
from shipline.engine.sources import Elsewhere, sources
from shipline.language import compile
from shipline.language.context import Context
from shipline.language.keywords.trigger import artifact_jobs
from shipline.language.pipeline import Pipeline


class LocalWorld:
    """Implements `shipline.engine.bridges.World`. `elsewhere`: what includes may name outside of a repository.
    `prepare` is awaited before a pipeline is stored, with what it will be."""

    def __init__(
        self,
        pipelines: Pipelines,
        elsewhere: Elsewhere,
        prepare: Callable[[Pipeline], Awaitable[None]],
        shelf: LocalShelf,
    ) -> None:
        self.pipelines = pipelines
        self.elsewhere = elsewhere
        self.prepare = prepare
        self.shelf = shelf

    def facts(self, live: Live) -> Facts:
        return Facts(self.pipelines.store.variables(live.record.project_id), token="", repository_url="")

    def project(self, asked: Asked) -> int:
        return self._other(asked.parent, asked.project or "", "downstream_bridge_project_not_found").id

    def mirrored(self, live: Live, job: JobRecord, project: str) -> int:
        reason = "upstream_bridge_project_not_found"
        other = self._other(live.record, project, reason)
        repository = Repository.find(Path(other.path))
        branch = repository.default_branch
        repository.close()
        for record in self.pipelines.store.pipelines(other.id, limit=1000):
            if record.commit.ref == branch and record.source != "parent_pipeline":
                return record.id
        raise Refusal(reason, f"{project} ({other.path}) has had no pipeline for {branch} yet.")

    def needed(self, live: Live, path: str) -> int:
        """The number of a project whose files a job needs. Raises Refusal."""
        return self._other(live.record, path, REASON).id

    async def make_child(self, asked: Asked) -> None:
        parent = self.pipelines.live(asked.parent.id)
        project = self.pipelines.store.project_by_id(asked.parent.project_id)
        kept = self.pipelines.store.variables(project.id)
        archives = self._archives(parent, asked)
        with reserved(self.pipelines.store, project.id) as iid:
            compiled = await asyncio.to_thread(self._child, asked, parent, project, kept, archives, iid)
            await self._create(asked, project, asked.parent.commit, compiled, "parent_pipeline", iid)

    async def make_other(self, asked: Asked) -> None:
        project = self._other(asked.parent, asked.project or "", "downstream_bridge_project_not_found")
        kept = self.pipelines.store.variables(project.id)
        with reserved(self.pipelines.store, project.id) as iid:
            commit, compiled = await asyncio.to_thread(self._pipeline, asked, project, kept, iid)
            await self._create(asked, project, commit, compiled, "pipeline", iid)

    async def _create(
        self, asked: Asked, project: Project, commit: Commit, compiled: Pipeline, source: str, iid: int
    ) -> None:
        await self.prepare(compiled)
        note_warnings(self.pipelines.store, asked, compiled)
        self.pipelines.create(
            project,
            commit,
            lean(compiled),
            source,
            asked.variables,
            upstream=asked.bridge,
            merge_request=asked.parent.merge_request if source == "parent_pipeline" else None,
            changed=asked.parent.changed if source == "parent_pipeline" else [],
            iid=iid,
        )

    def _archives(self, parent: Live, asked: Asked) -> dict[str, Path]:
        """Where the archives are of the jobs whose artifacts the child is made of."""
        jobs = [parent.jobs[name] for name in artifact_jobs(asked.definition.trigger) if name in parent.jobs]
        there = self.shelf.archives([job.id for job in jobs])
        return {job.name: self.shelf.archive_path(job.id) for job in jobs if job.id in there}

    def _child(
        self,
        asked: Asked,
        parent: Live,
        project: Project,
        kept: list[ProjectVariable],
        archives: dict[str, Path],
        iid: int,
    ) -> Pipeline:
        repository = Repository.find(Path(project.path))
        try:
            context = self._context_of_child(asked, parent, project, repository, kept, iid)
            loader = sources(repository, context.sha, self.elsewhere)
            return compile_child(asked, context, WithArtifacts(loader, archives), repository)
        finally:
            repository.close()

    def _context_of_child(
        self,
        asked: Asked,
        parent: Live,
        project: Project,
        repository: Repository,
        kept: list[ProjectVariable],
        iid: int,
    ) -> Context:
        commit, about = asked.parent.commit, asked.parent.merge_request
        changed: list[str] | None
        if asked.parent.changed:
            changed = asked.parent.changed
        elif about is not None:
            changed = repository.differing(about.diff_base_sha, commit.sha) if about.diff_base_sha else None
        else:
            changed = repository.changed(commit)
        request = Request(
            source="parent_pipeline",
            variables=asked.variables,
            merge_request=about,
            changed=changed,
            elsewhere=self.elsewhere,
        )
        return context_of_child(context_of(project, repository, commit, request, kept, iid), parent, asked)

    def _pipeline(
        self, asked: Asked, project: Project, kept: list[ProjectVariable], iid: int
    ) -> tuple[Commit, Pipeline]:
        """The commit and the pipeline of another project."""
        repository = Repository.find(Path(project.path))
        try:
            commit = repository.commit(asked.branch or repository.default_branch)
            text = repository.read(commit.sha, CONFIG_FILE)
            if text is None:
                raise EngineError(f"{project.path} has no {CONFIG_FILE} in commit {commit.sha[:8]} ({commit.ref}).")
            request = Request(
                source="pipeline",
                variables=asked.variables,
                inputs=asked.inputs,
                changed=None,
                elsewhere=self.elsewhere,
            )
            context = with_upstream(context_of(project, repository, commit, request, kept, iid), asked)
            compiled = compile(text, context, sources(repository, commit.sha, self.elsewhere))
            return commit, checked(compiled, repository, commit.sha)
        finally:
            repository.close()

    def _other(self, from_: PipelineRecord, path: str, reason: str) -> Project:
        """Another project. Raises Refusal, with the reason, when it is not on this machine."""
        if given := ancestors(self.pipelines, from_.id)[-1].projects.get(path):
            return self._opened(Path(given), path, reason)
        here = Repository.find(Path(self.pipelines.store.project_by_id(from_.project_id).path))
        here.close()
        candidates = [place for place in beside(here, path) if (place / ".git").exists()]
        for place in candidates:
            other = Repository.find(place)
            other.close()
            if other.project_path in (path, f"local/{other.name}"):
                return self.pipelines.store.project(str(other.path))
        where = " nor ".join(str(place) for place in beside(here, path))
        found = f"{candidates[0]} is another project" if candidates else f"it is neither given nor {where}"
        raise Refusal(reason, f"project '{path}': {found}. Say where it is: --project {path}=DIRECTORY")

    def _opened(self, place: Path, path: str, reason: str) -> Project:
        try:
            other = Repository.find(place)
        except EngineError as error:
            raise Refusal(reason, f"project '{path}': {error}") from None
        other.close()
        return self.pipelines.store.project(str(other.path))


def beside(here: Repository, path: str) -> list[Path]:
    """Where a project's directory may be, seen from another's: at its place among projects, or beside it."""
    found = []
    parts = here.project_path.split("/")
    if here.path.parts[-len(parts) :] == tuple(parts):
        found.append(Path(*here.path.parts[: -len(parts)], *path.split("/")))
    found.append(here.path.parent / path.rpartition("/")[2])
    return list(dict.fromkeys(found))
