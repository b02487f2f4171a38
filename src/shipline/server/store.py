"""The engine's store in the server's database: `shipline.engine.store.Store` on SQLAlchemy.

A pending job also gets its place in the queue that runners are served from, in the same transaction that makes it
pending. The pipelines belong to the server as a whole, not to one of its processes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from contextlib import AbstractContextManager

import msgspec
import sqlalchemy as sa

from shipline.engine.numbering import taken
from shipline.engine.records import JobRecord, PipelineRecord, Project, ProjectVariable
from shipline.engine.scopes import is_protected
from shipline.engine.states import ACTIVE, GOING, HOLDING, UPCOMING
from shipline.language.pipeline import Pipeline
from shipline.server import tables as t
from shipline.server.database import Database
from shipline.server.possessions import DatabasePossessions
from shipline.server.prepared import Prepared
from shipline.server.sealing import Sealing
from shipline.server.traces import Traces
from shipline.server.vault import Vault

THE_SERVER = "the server"
"""What stands in records for whoever runs a pipeline."""
INSTANCE = 0
"""The `project_id` of variables that hold for all projects."""

_one_pipeline = Prepared(sa.select(t.pipelines.c.record).where(t.pipelines.c.id == sa.bindparam("number")))
_one_job = Prepared(sa.select(t.jobs.c.record).where(t.jobs.c.id == sa.bindparam("number")))
_save_pipeline = Prepared(
    sa.update(t.pipelines)
    .where(t.pipelines.c.id == sa.bindparam("number"))
    .values(status=sa.bindparam("state"), updated_at=sa.bindparam("now"), record=sa.bindparam("text"))
)
_save_job = Prepared(
    sa.update(t.jobs)
    .where(t.jobs.c.id == sa.bindparam("number"))
    .values(latest=sa.bindparam("newest"), status=sa.bindparam("state"), record=sa.bindparam("text"))
)
_unqueue = Prepared(sa.delete(t.queue).where(t.queue.c.job_id == sa.bindparam("number")))
_variables_of = Prepared(
    sa.select(t.variables.c.project_id, t.variables.c.record, t.variables.c.value)
    .where(t.variables.c.project_id == sa.bindparam("number"))
    .order_by(t.variables.c.key, t.variables.c.scope)
)
_given = Prepared(sa.select(t.assignments.c.job_id).where(t.assignments.c.job_id == sa.bindparam("number")))
_shares = Prepared(sa.select(t.projects.c.shared_runners).where(t.projects.c.id == sa.bindparam("number")))


class DatabaseStore(DatabasePossessions):
    """Implements `shipline.engine.store.Store`."""

    process = THE_SERVER

    def __init__(self, database: Database, vault: Vault, traces: Traces) -> None:
        self.database = database
        self.vault = vault
        self.traces = traces
        self.sealing = Sealing(vault)
        self._tag_sets: dict[str, int] = {}

    def alive(self, process: str | None) -> bool:
        return process == THE_SERVER

    def transaction(self) -> AbstractContextManager[None]:
        return self.database.transaction()

    def version(self) -> int:
        return self.database.version()

    def close(self) -> None:
        self.database.close()

    def project(self, path: str) -> Project:
        with self.transaction():
            found = self.database.one(sa.select(t.projects.c.id).where(t.projects.c.path == path))
            number = found[0] if found else self.database.insert(t.projects, path=path)
        return Project(id=number, path=path)

    def project_by_id(self, project_id: int) -> Project:
        found = self.database.one(sa.select(t.projects.c.path).where(t.projects.c.id == project_id))
        assert found is not None, f"project {project_id}"
        return Project(id=project_id, path=found[0])

    def add_pipeline(
        self, pipeline: PipelineRecord, compiled: Pipeline, jobs: list[JobRecord]
    ) -> tuple[PipelineRecord, list[JobRecord]]:
        with self.transaction():
            iid = pipeline.iid or taken(self, pipeline.project_id)
            number = self.database.insert(
                t.pipelines,
                project_id=pipeline.project_id,
                iid=iid,
                status=pipeline.status,
                source=pipeline.source,
                ref=pipeline.ref,
                sha=pipeline.commit.sha,
                updated_at=time.time(),
                record=b"",
                compiled=msgspec.json.encode(compiled),
            )
            pipeline = msgspec.structs.replace(pipeline, id=number, iid=iid)
            self._save_pipeline(pipeline)
            placed = [msgspec.structs.replace(job, pipeline_id=number) for job in jobs]
            return pipeline, [self._insert(pipeline, job) for job in placed]

    def newest_iid(self, project_id: int) -> int:
        newest = sa.select(sa.func.max(t.pipelines.c.iid)).where(t.pipelines.c.project_id == project_id)
        return self.database.execute(newest).scalar_one() or 0

    def add_job(self, job: JobRecord) -> JobRecord:
        with self.transaction():
            pipeline = self.pipeline(job.pipeline_id)
            assert pipeline is not None
            for other in self.jobs(job.pipeline_id):
                if other.name == job.name:
                    self._save_job(pipeline, msgspec.structs.replace(other, latest=False))
            return self._insert(pipeline, msgspec.structs.replace(job, latest=True))

    def save(self, pipeline: PipelineRecord, jobs: list[JobRecord]) -> None:
        with self.transaction():
            self._save_pipeline(pipeline)
            for job in jobs:
                self._save_job(pipeline, job)

    def pipeline(self, pipeline_id: int) -> PipelineRecord | None:
        found = self.database.first(_one_pipeline, number=pipeline_id)
        return self.sealing.pipeline(found[0]) if found else None

    def compiled(self, pipeline_id: int) -> Pipeline:
        query = sa.select(t.pipelines.c.compiled).where(t.pipelines.c.id == pipeline_id)
        return msgspec.json.decode(self.database.execute(query).scalar_one(), type=Pipeline)

    def pipelines(self, project_id: int, limit: int = 20) -> list[PipelineRecord]:
        query = sa.select(t.pipelines.c.record).where(t.pipelines.c.project_id == project_id)
        rows = self.database.all(query.order_by(t.pipelines.c.id.desc()).limit(limit))
        return [self.sealing.pipeline(row[0]) for row in rows]

    def unfinished(self, project_id: int | None = None, ref: str | None = None) -> list[PipelineRecord]:
        if project_id is None or ref is None:
            return self._with_latest_in(ACTIVE)
        of_ref = (t.pipelines.c.project_id == project_id) & (t.pipelines.c.ref == ref)
        busy = sa.select(t.pipelines.c.record).where(of_ref, t.pipelines.c.status.in_(sorted(GOING)))
        return [self.sealing.pipeline(row[0]) for row in self.database.all(busy.order_by(t.pipelines.c.id))]

    def waiting(self) -> list[int]:
        """The pipelines in which a job waits for a time or a resource."""
        return [record.id for record in self._with_latest_in(("scheduled", "waiting_for_resource"))]

    def jobs(self, pipeline_id: int, all_tries: bool = False) -> list[JobRecord]:
        query = sa.select(t.jobs.c.record).where(t.jobs.c.pipeline_id == pipeline_id).order_by(t.jobs.c.id)
        if not all_tries:
            query = query.where(t.jobs.c.latest)
        return [self.sealing.job(row[0]) for row in self.database.all(query)]

    def job(self, job_id: int) -> JobRecord | None:
        found = self.database.first(_one_job, number=job_id)
        return self.sealing.job(found[0]) if found else None

    def resource_holders(self, project_id: int, resource_group: str) -> list[JobRecord]:
        return self._grouped(project_id, resource_group, HOLDING)

    def waiting_for_resource(self, project_id: int, resource_group: str) -> list[JobRecord]:
        return self._grouped(project_id, resource_group, UPCOMING)

    def _grouped(self, project_id: int, resource_group: str, statuses: Collection[str]) -> list[JobRecord]:
        query = sa.select(t.jobs.c.record).where(
            t.jobs.c.project_id == project_id,
            t.jobs.c.resource_group == resource_group,
            t.jobs.c.latest,
            t.jobs.c.status.in_(sorted(statuses)),
        )
        return [self.sealing.job(row[0]) for row in self.database.all(query.order_by(t.jobs.c.id))]

    def set_variable(
        self, project_id: int, variable: ProjectVariable, hidden: bool = False, description: str | None = None
    ) -> None:
        scope = variable.environment_scope
        with self.transaction():
            self.delete_variable(project_id, variable.key, scope)
            self.database.insert(
                t.variables,
                project_id=project_id,
                key=variable.key,
                scope=scope,
                value=self.vault.seal(variable.value, _place(project_id, variable.key, scope)),
                record=msgspec.json.encode(msgspec.structs.replace(variable, value="")),
                hidden=hidden,
                description=description,
            )

    def variables(self, project_id: int) -> list[ProjectVariable]:
        return [self.read_variable(*row) for row in self.database.rows(_variables_of, number=project_id)]

    def read_variable(self, project_id: int, record: bytes, sealed: bytes) -> ProjectVariable:
        """A variable from its two columns."""
        variable = msgspec.json.decode(record, type=ProjectVariable)
        place = _place(project_id, variable.key, variable.environment_scope)
        return msgspec.structs.replace(variable, value=self.vault.unseal(sealed, place))

    def delete_variable(self, project_id: int, key: str, environment_scope: str | None = None) -> int:
        doomed = sa.delete(t.variables).where(t.variables.c.project_id == project_id, t.variables.c.key == key)
        if environment_scope is not None:
            doomed = doomed.where(t.variables.c.scope == environment_scope)
        return self.database.execute(doomed).rowcount

    def write_trace(self, job_id: int, offset: int, data: bytes) -> int:
        return self.traces.write(job_id, offset, data)

    def read_trace(self, job_id: int, start: int = 0, limit: int | None = None) -> bytes:
        return self.traces.read(job_id, start, limit)

    def enqueue(self, pipeline: PipelineRecord, job: JobRecord) -> None:
        """Gives a pending job its place in the queue."""
        shared = self.database.first(_shares, number=pipeline.project_id)
        place = {
            "job_id": job.id,
            "project_id": pipeline.project_id,
            "tag_set": self.tag_set(job.tags),
            "protected": is_protected(pipeline.commit),
            "shared": shared is None or shared[0] is not False,
        }
        self.database.execute(sa.insert(t.queue), place)
        self.tick()

    def tick(self) -> None:
        """Says that there may be something new for runners."""
        more = sa.update(t.ticks).where(t.ticks.c.name == "queue").values(count=t.ticks.c.count + 1)
        if not self.database.execute(more).rowcount:
            self.database.execute(sa.insert(t.ticks).values(name="queue", count=1))

    def tag_set(self, tags: list[str]) -> int:
        """The number of a set of tags; made when it is new."""
        text = json.dumps(sorted(set(tags)))
        if text not in self._tag_sets:
            found = self.database.one(sa.select(t.tag_sets.c.id).where(t.tag_sets.c.tags == text))
            number = found[0] if found else self.database.insert(t.tag_sets, tags=text)
            if found is None:
                return number  # the transaction may yet be undone
            self._tag_sets[text] = number
        return self._tag_sets[text]

    def _with_latest_in(self, statuses: Collection[str]) -> list[PipelineRecord]:
        busy = sa.select(t.jobs.c.pipeline_id).where(t.jobs.c.latest, t.jobs.c.status.in_(sorted(statuses)))
        query = sa.select(t.pipelines.c.record).where(t.pipelines.c.id.in_(busy)).order_by(t.pipelines.c.id)
        return [self.sealing.pipeline(row[0]) for row in self.database.all(query)]

    def _insert(self, pipeline: PipelineRecord, job: JobRecord) -> JobRecord:
        number = self.database.insert(
            t.jobs,
            pipeline_id=job.pipeline_id,
            project_id=pipeline.project_id,
            name=job.name,
            latest=True,
            status="created",
            resource_group=job.resource_group,
            record=b"",
            bridge=job.bridge,
        )
        job = msgspec.structs.replace(job, id=number)
        self._save_job(pipeline, job)
        return job

    def _save_job(self, pipeline: PipelineRecord, job: JobRecord) -> None:
        text = self.sealing.write(job)
        self.database.change(_save_job, number=job.id, newest=job.latest, state=job.status, text=text)
        self.database.change(_unqueue, number=job.id)
        if (
            job.status == "pending"
            and job.latest
            and not job.bridge
            and not self.database.first(_given, number=job.id)
        ):
            self.enqueue(pipeline, job)

    def _save_pipeline(self, pipeline: PipelineRecord) -> None:
        text = self.sealing.write(pipeline)
        self.database.change(_save_pipeline, number=pipeline.id, state=pipeline.status, now=time.time(), text=text)


def _place(project_id: int, key: str, scope: str) -> str:
    owner = "the instance" if project_id == INSTANCE else f"project {project_id}"
    return f"variable {key} ({scope}) of " + (owner if project_id >= 0 else f"group {-project_id}")
