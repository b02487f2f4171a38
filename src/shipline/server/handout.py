"""Which runner gets which job: from the head of the queue to the job payload.

The queue is cut into lanes, by tags, protection and project; a runner looks at the head of each lane that it may
serve and takes the oldest, so its question takes the same time however many jobs wait. Taking is one transaction:
no job is ever handed out twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa

from shipline.engine import cross_needs
from shipline.engine.dependencies import COULD_NOT_RETRIEVE, gone
from shipline.engine.deployments import OUTDATED, record_start
from shipline.engine.errors import EngineError
from shipline.engine.id_tokens import Issuer
from shipline.engine.live import Live
from shipline.engine.payload import Origin, make_payload, new_token
from shipline.engine.pipelines import Pipelines
from shipline.engine.publishing import promise
from shipline.engine.records import JobRecord, PipelineRecord
from shipline.protocol.payload import Credentials, JobPayload
from shipline.server import tables as t
from shipline.server.artifacts import Artifacts
from shipline.server.prepared import Prepared
from shipline.server.project_settings import settings_of
from shipline.server.projects import Projects
from shipline.server.runners import GROUP, INSTANCE, Runners, tags_of
from shipline.server.settings import Settings
from shipline.server.store import INSTANCE as ALL_PROJECTS
from shipline.server.store import DatabaseStore
from shipline.server.vault import digest

JOB_USER = "gitlab-ci-token"
"""The user name that goes with a job's token."""

_head = sa.select(sa.func.min(t.queue.c.job_id)).where(t.queue.c.tag_set == sa.bindparam("tag_set"))
_shared = _head.where(t.queue.c.shared)
_of_project = _head.where(t.queue.c.project_id == sa.bindparam("project"))
_HEADS = {
    (shared, protected): Prepared(query.where(t.queue.c.protected) if protected else query)
    for shared, query in ((True, _shared), (False, _of_project))
    for protected in (True, False)
}
"""The oldest job of a lane: by whether the lane is the instance's (or a project's), and of protected jobs only."""
_assign = Prepared(sa.insert(t.assignments))
_take = Prepared(sa.delete(t.queue).where(t.queue.c.job_id == sa.bindparam("number")))
_tick = Prepared(sa.select(t.ticks.c.count).where(t.ticks.c.name == "queue"))
_newest_tag_set = Prepared(sa.select(sa.func.max(t.tag_sets.c.id)))


class Handout:
    """Hands out the pending jobs, oldest first."""

    def __init__(
        self,
        store: DatabaseStore,
        pipelines: Pipelines,
        projects: Projects,
        runners: Runners,
        settings: Settings,
        issuer: Issuer,
        artifacts: Artifacts,
    ) -> None:
        self.store = store
        self.database = store.database
        self.pipelines = pipelines
        self.projects = projects
        self.runners = runners
        self.settings = settings
        self.issuer = issuer
        self.artifacts = artifacts
        self.cross_needed: Callable[[Live, JobRecord], list[JobRecord]] = lambda live, job: []
        self._served: dict[tuple[str, bool], tuple[int, list[int]]] = {}

    def tick(self) -> str:
        """A value that changes when a runner may find something that was not there before."""
        found = self.database.first(_tick)
        return str(found[0]) if found else "0"

    def next_job(self, runner: Any, manager: Any) -> JobPayload | None:
        """Gives the runner a job, None when there is none for it."""
        while True:
            token = new_token()
            with self.database.transaction():
                job = self._take(runner, manager, token)
            if job is None:
                return None
            if lacking := self._lacking(job, manager):
                why = f"the runner does not know how to do what the job needs: {', '.join(lacking)}"
                self._refuse(job, why, "runner_unsupported")
            elif (payload := self._payload(job, runner, token)) is not None:
                return payload

    def _lacking(self, job: JobRecord, manager: Any) -> list[str]:
        """The features that the job needs and the runner has not."""
        definition = self.pipelines.live(job.pipeline_id).definitions[job.name]
        artifacts = definition.artifacts
        needed = {
            "native_steps_integration": bool(definition.extra.get("run")),
            "return_exit_code": bool(definition.allow_failure_exit_codes or definition.retry.get("exit_codes")),
            "fallback_cache_keys": any(cache.get("fallback_keys") for cache in definition.cache),
            "artifacts_exclude": bool(artifacts.get("exclude")),
            "upload_multiple_artifacts": bool(artifacts.get("reports")),
        }
        if not any(needed.values()):
            return []
        features = json.loads(manager.features)
        return [name for name, wanted in needed.items() if wanted and not features.get(name)]

    def abandon_ungraceful(self, pipeline_id: int) -> None:
        """Ends the jobs that are being cancelled on runners which cannot do so step by step: these hear of it with
        their next call, and stop at once."""
        query = sa.select(t.jobs.c.id).join(t.assignments, t.assignments.c.job_id == t.jobs.c.id)
        known = (t.jobs.c.pipeline_id == pipeline_id) & (t.jobs.c.status == "canceling")
        for row in self.database.all(query.where(known, ~t.assignments.c.graceful)):
            job = self.store.job(row[0])
            assert job is not None
            self.pipelines.abandon(job)

    def _take(self, runner: Any, manager: Any, token: str) -> JobRecord | None:
        """A job that is now this runner's. One that waits for its word (two-phase commit) is still pending,
        and in nobody's queue."""
        features = json.loads(manager.features)
        two_phase = bool(features.get("two_phase_job_commit"))
        while (number := self._head(runner)) is not None:
            job = self.store.job(number)
            self.database.change(_take, number=number)
            if job is None or job.status != "pending":
                continue
            now = time.time()
            self.database.change(
                _assign,
                job_id=number,
                digest=digest(token),
                runner_id=runner.id,
                system_id=manager.system_id,
                graceful=bool(features.get("cancel_gracefully")),
                acknowledge_by=now + self.settings.acknowledge_within if two_phase else None,
                updated_at=now,
            )
            if two_phase:
                return msgspec.structs.replace(job, started_at=now)
            if self.pipelines.started(job, runner.description or runner.short):
                return self.pipelines.job(job.pipeline_id, job.name)
        return None

    def _head(self, runner: Any) -> int | None:
        """The oldest job that the runner may have."""
        shared = runner.kind == INSTANCE
        query = _HEADS[shared, runner.access_level == "ref_protected"]
        lanes: list[dict[str, int]] = [{"tag_set": tag_set} for tag_set in self._tag_sets(runner)]
        if not shared:
            projects = self._projects(runner)
            lanes = [lane | {"project": project} for lane in lanes for project in projects]
        heads = [self.database.first(query, **lane) for lane in lanes]
        return min((head[0] for head in heads if head is not None and head[0] is not None), default=None)

    def _projects(self, runner: Any) -> list[int]:
        """The projects that a runner of a project or group serves: of a group, all below it that let it."""
        if runner.kind != GROUP:
            return self.runners.projects(runner.id)
        served = []
        for number in self.runners.groups(runner.id):
            group = self.projects.groups.namespace(number)
            inside = self.projects.groups.below(group) if group is not None else [0]
            query = sa.select(t.projects).where(t.projects.c.namespace_id.in_(inside))
            served += [row.id for row in self.database.all(query) if settings_of(row).group_runners]
        return served

    def _tag_sets(self, runner: Any) -> list[int]:
        """The sets of tags that the runner answers to; worked out again when there is a new set."""
        found = self.database.first(_newest_tag_set)
        newest = found[0] or 0 if found else 0
        key = (runner.tags, runner.run_untagged)
        if key not in self._served or self._served[key][0] != newest:
            own = set(tags_of(runner))
            served = []
            for number, text in self.database.all(sa.select(t.tag_sets)):
                wanted = json.loads(text)
                if own.issuperset(wanted) if wanted else runner.run_untagged:
                    served.append(number)
            self._served[key] = (newest, served)
        return self._served[key][1]

    def _payload(self, job: JobRecord, runner: Any, token: str) -> JobPayload | None:
        """What the runner gets; None when it cannot be made, and then the job has failed."""
        live = self.pipelines.live(job.pipeline_id)
        project = self.projects.by_id(live.record.project_id)
        try:
            if project is None:
                raise EngineError("The project has been deleted.")
            groups = self.projects.groups.lineage(project.namespace_id)
            origin = self._origin(project, groups, runner, token)
            if lost := gone(live, job.name):
                self._refuse(job, f"{COULD_NOT_RETRIEVE}: {', '.join(lost)}", "missing_dependency_failure")
                return None
            others = self.cross_needed(live, job) if cross_needs.has_any(live, job.name) else []
            kept = self.store.variables(project.id)
            payload = make_payload(live, job, origin, kept, token, self.artifacts, others)
            if why := record_start(self.store, live, job, payload):
                self._refuse(job, why, OUTDATED)
                return None
            promise(self.store, live, job, payload)
            root = groups[0].id if groups else project.namespace_id
            payload.job_info.namespace_id, payload.job_info.root_namespace_id = project.namespace_id, root
            payload.runner_info.uuid = self._uuid(runner)
            return _with_refs(payload, live.record)
        except EngineError as error:
            self._refuse(job, str(error), getattr(error, "reason", "scheduler_failure"))
            return None

    def _refuse(self, job: JobRecord, why: str, reason: str) -> None:
        """Fails a job that no runner has had, and says why in its log."""
        self.store.write_trace(job.id, 0, f"ERROR: Job failed: {why}\n".encode())
        self.pipelines.finished(self.pipelines.job(job.pipeline_id, job.name), "failed", reason)

    def _uuid(self, runner: Any) -> str:
        """A runner's own, here and nowhere else: it stays when the runner's token is replaced."""
        import uuid

        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.settings.url}/runners/{runner.id}"))

    def _origin(self, project: Any, groups: list[Any], runner: Any, token: str) -> Origin:
        scheme, _, place = self.settings.url.partition("://")
        return Origin(
            repository_url=f"{scheme}://{JOB_USER}:{token}@{place}/{project.full_path}.git",
            project_path=project.full_path,
            project_name=project.full_path.rpartition("/")[2],
            runner=runner.description or "",
            runner_tags=tuple(tags_of(runner)),
            runner_id=runner.id,
            instance_variables=tuple(self.store.variables(ALL_PROJECTS)),
            group_variables=tuple(tuple(self.store.variables(-group.id)) for group in groups),
            timeout=project.build_timeout,
            depth=project.git_depth,
            separated_caches=settings_of(project).separated_caches,
            cache_index=settings_of(project).cache_index,
            longest=runner.maximum_timeout,
            issuer=self.issuer,
            pages_url=f"{self.settings.url}/-/pages/{project.full_path}",
            credentials=self._logins(token),
        )

    def _logins(self, token: str) -> tuple[Credentials, ...]:
        """With which the job's images are pulled from the instance's registry."""
        registry = self.settings.registry
        return (Credentials("registry", registry, JOB_USER, token),) if registry else ()


def _with_refs(payload: JobPayload, record: PipelineRecord) -> JobPayload:
    """The commit by the ref that this server keeps for each pipeline, as GitLab names it."""
    own = f"refs/pipelines/{record.id}"
    git = payload.git_info
    refspecs = [f"+{own}:{own}"]
    if git.depth > 0:
        refspecs += git.refspecs[1:]
    else:
        refspecs += ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
    git = msgspec.structs.replace(git, refspecs=refspecs, protected=bool(record.commit.protected))
    return msgspec.structs.replace(payload, git_info=git)
