"""Downstream pipelines on the server: trigger jobs of all projects, started as soon as they are pending.

The process in which a trigger job becomes pending starts it; what one that died has left is found by the round that
every process makes. A trigger job acts for whoever played or retried it, else for the user of its pipeline, and may
do what that user may.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from shipline.engine import hierarchy
from shipline.engine.bridges import Asked, start, values_of
from shipline.engine.children import WithArtifacts, compile_child, context_of_child, note_warnings
from shipline.engine.creation import lean
from shipline.engine.cross_needs import REASON, needed
from shipline.engine.errors import Refusal
from shipline.engine.job_variables import Facts
from shipline.engine.live import Live
from shipline.engine.numbering import reserved
from shipline.engine.records import JobRecord, PipelineRecord
from shipline.engine.records import Project as EngineProject
from shipline.engine.repository import Repository
from shipline.language.context import Context
from shipline.language.expansion import expand
from shipline.language.keywords.trigger import artifact_jobs
from shipline.language.pipeline import Pipeline
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.accounts import caller_of
from shipline.server.creation import Order, context_of, create_pipeline, keep_commit
from shipline.server.includes import ServerSources
from shipline.server.instance import Instance
from shipline.server.permissions import Caller, visible_to_all
from shipline.server.store import INSTANCE

NOT_FOUND = "downstream_bridge_project_not_found"
FORBIDDEN = "insufficient_bridge_permissions"
ABANDONED = 120.0
"""Seconds after which a trigger job that was begun and has no pipeline is begun again."""

log = logging.getLogger("shipline.server")


class Downstream:
    """Starts trigger jobs. Implements `shipline.engine.bridges.World`."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.pipelines = instance.pipelines
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self.pipelines.listeners.append(self._changed)

    def _changed(self, record: PipelineRecord, jobs: list[JobRecord]) -> None:
        """Trigger jobs may have become pending; they are looked at when what goes on now is stored."""
        for job in jobs:
            if job.bridge and job.status == "pending":
                self.instance.loop.call_soon_threadsafe(self._begin, job.id)

    def _begin(self, job_id: int) -> None:
        job = self.instance.store.job(job_id)
        if job is not None and job.latest and job.status == "pending" and job_id not in self._tasks:
            task = self.instance.loop.create_task(self._start(job))
            self._tasks[job_id] = task
            task.add_done_callback(lambda _: self._tasks.pop(job_id, None))

    async def _start(self, job: JobRecord) -> None:
        try:
            await start(self.pipelines, job, self)
        except Exception:
            log.exception("trigger job %s", job.id)

    def round(self) -> None:
        """Begins what nobody has begun, or begun and not ended; brings mirrors up to date."""
        columns = t.jobs.c
        query = sa.select(columns.id).where(
            columns.bridge, columns.latest, columns.status.in_(("pending", "running", "manual"))
        )
        for row in self.instance.database.all(query):
            job = self.instance.store.job(row.id)
            if job is None or row.id in self._tasks:
                continue
            if job.status == "pending":
                self._begin(job.id)
            elif job.downstream is not None:
                hierarchy.look_at_mirrored(self.pipelines, job.pipeline_id)
            elif job.status == "running" and (job.started_at or 0) < self.pipelines.clock() - ABANDONED:
                hierarchy.begin_again(self.pipelines, job)

    async def close(self) -> None:
        """Leaves what has been begun to the next process."""
        for task in list(self._tasks.values()):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    def facts(self, live: Live) -> Facts:
        store, project = self.instance.store, self.instance.projects.by_id(live.record.project_id)
        lineage = self.instance.groups.lineage(project.namespace_id) if project is not None else []
        return Facts(
            store.variables(live.record.project_id),
            token="",
            repository_url="",
            instance_variables=tuple(store.variables(INSTANCE)),
            group_variables=tuple(tuple(store.variables(-group.id)) for group in lineage),
        )

    def project(self, asked: Asked) -> int:
        project = self._readable(asked.parent, asked.project or "", NOT_FOUND, asked.bridge)
        caller = self._caller(asked.parent, asked.bridge)
        ref = asked.branch or project.default_branch
        if not self.instance.projects.may_run(project, caller, "branch", ref):
            raise Refusal(FORBIDDEN, f"{caller.username} may not run pipelines for {ref} of {project.full_path}.")
        return int(project.id)

    def mirrored(self, live: Live, job: JobRecord, project: str) -> int:
        found = self._readable(live.record, project, "upstream_bridge_project_not_found")
        if found.visibility != "public" and self._level(found, live.record) < may.REPORTER:
            raise Refusal("insufficient_upstream_permissions", f"its user may not see pipelines of {project}.")
        columns = t.pipelines.c
        of_branch = (columns.project_id == found.id) & (columns.ref == found.default_branch)
        query = sa.select(sa.func.max(columns.id)).where(of_branch, columns.source != "parent_pipeline")
        newest = self.instance.database.one(query)
        if newest is None or newest[0] is None:
            raise Refusal(
                "upstream_bridge_project_not_found",
                f"{project} has had no pipeline for {found.default_branch} yet.",
            )
        return int(newest[0])

    def needed(self, live: Live, path: str) -> int:
        """The number of a project whose files a job needs. Raises Refusal."""
        found = self._readable(live.record, path, REASON)
        if found.visibility != "public" and self._level(found, live.record) < may.REPORTER:
            raise Refusal(REASON, f"its user may not see the artifacts of {path}.")
        return int(found.id)

    def cross_needed(self, live: Live, job: JobRecord) -> list[JobRecord]:
        """The jobs of other pipelines whose files a job gets. Raises Refusal."""
        values = values_of(live, job, self.facts(live))
        return needed(self.pipelines, live, job.name, values, lambda path: self.needed(live, path))

    def may_fetch(self, job_id: int, project_id: int) -> bool:
        """Whether a running job may have files of jobs of a project that is not its own: one that it needs."""
        job = self.instance.store.job(job_id)
        if job is None:
            return False
        live = self.pipelines.live(job.pipeline_id)
        values = values_of(live, job, self.facts(live))
        paths = [need.project for need in live.definitions[job.name].needs or () if need.project]
        for path in paths:
            with contextlib.suppress(Refusal):
                if self.needed(live, expand(path, values)) == project_id:
                    return True
        return False

    async def make_child(self, asked: Asked) -> None:
        with reserved(self.instance.store, asked.parent.project_id) as iid:
            await self._make_child(asked, iid)

    async def _make_child(self, asked: Asked, iid: int) -> None:
        parent = self.pipelines.live(asked.parent.id)
        project: Any = self.instance.projects.by_id(asked.parent.project_id)
        commit = asked.parent.commit
        order = Order(
            project,
            commit.ref,
            self._caller(asked.parent, asked.bridge),
            "parent_pipeline",
            variables=list(asked.variables),
        )
        context = context_of(self.instance, order, commit, iid)
        context = msgspec.structs.replace(
            context, merge_request=asked.parent.merge_request, mend_quoted_colons=True
        )
        context = context_of_child(context, parent, asked)
        repository = self.instance.projects.repository(project, self.instance.settings.url)
        own = ServerSources(self.instance, order.caller, repository, commit.sha, project.full_path)
        loader = WithArtifacts(own, await self._archives(parent, asked))
        try:
            compiled = await asyncio.to_thread(_compiled, asked, parent.record, context, loader, repository)
        finally:
            repository.close()
        note_warnings(self.instance.store, asked, compiled)
        with self.instance.store.transaction():
            record = self.pipelines.create(
                EngineProject(project.id, project.path),
                commit,
                lean(compiled),
                "parent_pipeline",
                asked.variables,
                upstream=asked.bridge,
                merge_request=asked.parent.merge_request,
                iid=iid,
            )
            self.own(record, order.caller)
            keep_commit(Path(project.path), record)

    async def make_other(self, asked: Asked) -> None:
        project = self._readable(asked.parent, asked.project or "", NOT_FOUND, asked.bridge)
        order = Order(
            project,
            asked.branch or project.default_branch,
            self._caller(asked.parent, asked.bridge),
            "pipeline",
            variables=list(asked.variables),
            inputs=asked.inputs,
        )
        await create_pipeline(self.instance, order, asked=asked)

    async def _archives(self, parent: Live, asked: Asked) -> dict[str, Path]:
        """Where the archives are of the jobs whose artifacts the child is made of."""
        found = {}
        for name in artifact_jobs(asked.definition.trigger):
            row = self.instance.artifacts.archive(parent.jobs[name].id) if name in parent.jobs else None
            path = await self.instance.artifacts.file(row) if row is not None else None
            if path is not None:
                found[name] = path
        return found

    def own(self, record: PipelineRecord, caller: Caller) -> None:
        """Notes whose pipeline it is."""
        asked = sa.update(t.pipelines).where(t.pipelines.c.id == record.id)
        self.instance.database.execute(asked.values(user_id=caller.user_id))

    def in_name_of(self, job: JobRecord, user_id: int) -> None:
        """Somebody has started a trigger job: it acts for them."""
        if job.bridge:
            with self.pipelines.changing(job.pipeline_id) as change:
                change.set(job.name, user_id=user_id)

    def _caller(self, record: PipelineRecord, bridge: JobRecord | None = None) -> Caller:
        """For whom a pipeline, or a trigger job, acts. Raises Refusal when that user is gone or blocked."""
        query = sa.select(t.pipelines.c.user_id).where(t.pipelines.c.id == record.id)
        row = self.instance.database.one(query)
        number = bridge.user_id if bridge is not None and bridge.user_id is not None else row and row.user_id
        user = self.instance.accounts.user(number) if number is not None else None
        if user is None or user.state != "active":
            raise Refusal(FORBIDDEN, "the user whose pipeline this is, is not there any more.")
        return caller_of(user)

    def _level(self, project: Any, record: PipelineRecord, bridge: JobRecord | None = None) -> int:
        return self.instance.projects.level(project, self._caller(record, bridge))

    def _readable(self, record: PipelineRecord, path: str, reason: str, bridge: JobRecord | None = None) -> Any:
        """A project that the pipeline's user may see. Raises Refusal, which does not tell whether it is there."""
        project = self.instance.projects.find(path) if not path.isdigit() else None
        if project is not None:
            caller = self._caller(record, bridge)
            if visible_to_all(project, caller) or self._level(project, record, bridge) > may.NO_ACCESS:
                return project
        raise Refusal(reason, f"there is no project '{path}', or the pipeline's user may not see it.")


def _compiled(
    asked: Asked, parent: PipelineRecord, context: Context, loader: WithArtifacts, repository: Repository
) -> Pipeline:
    if parent.source in ("push", "parent_pipeline"):
        context = msgspec.structs.replace(context, changed=repository.changed(parent.commit))
    return compile_child(asked, context, loader, repository)
