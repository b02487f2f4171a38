"""The store that is forgotten when the process ends: for tests, and for whoever wants to leave no trace."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from shipline.engine.numbering import taken
from shipline.engine.possessions import Possessions
from shipline.engine.records import Deployment, JobRecord, PipelineRecord, Project, ProjectVariable
from shipline.engine.states import ACTIVE, GOING, HOLDING, UPCOMING, Status
from shipline.language.pipeline import Pipeline


class MemoryStore(Possessions):
    """Implements `shipline.engine.store.Store` with dictionaries."""

    process = "here"

    def __init__(self) -> None:
        self._projects: dict[str, Project] = {}
        self._pipelines: dict[int, PipelineRecord] = {}
        self._compiled: dict[int, Pipeline] = {}
        self._jobs: dict[int, JobRecord] = {}
        self._variables: dict[tuple[int, str, str], ProjectVariable] = {}
        self._deployments: dict[tuple[int, int], Deployment] = {}
        self._possessions: dict[tuple[int, str, str], bytes] = {}
        self._traces: dict[int, bytearray] = {}
        self._inside = False

    def alive(self, process: str | None) -> bool:
        return process == self.process

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._inside:
            yield
            return
        tables = ("_projects", "_pipelines", "_compiled", "_jobs", "_variables", "_deployments", "_possessions")
        before = {table: copy.copy(getattr(self, table)) for table in tables}
        self._inside = True
        try:
            yield
        except BaseException:
            self.__dict__.update(before)
            raise
        finally:
            self._inside = False

    def version(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing to close."""

    def project(self, path: str) -> Project:
        return self._projects.setdefault(path, Project(id=len(self._projects) + 1, path=path))

    def project_by_id(self, project_id: int) -> Project:
        return next(project for project in self._projects.values() if project.id == project_id)

    def add_pipeline(
        self, pipeline: PipelineRecord, compiled: Pipeline, jobs: list[JobRecord]
    ) -> tuple[PipelineRecord, list[JobRecord]]:
        number = len(self._pipelines) + 1
        iid = pipeline.iid or taken(self, pipeline.project_id)
        pipeline = msgspec.structs.replace(pipeline, id=number, iid=iid)
        self._pipelines[number] = pipeline
        self._compiled[number] = compiled
        return pipeline, [self.add_job(msgspec.structs.replace(job, pipeline_id=number)) for job in jobs]

    def newest_iid(self, project_id: int) -> int:
        return max((p.iid for p in self._pipelines.values() if p.project_id == project_id), default=0)

    def add_job(self, job: JobRecord) -> JobRecord:
        for other in self.jobs(job.pipeline_id):
            if other.name == job.name:
                self._jobs[other.id] = msgspec.structs.replace(other, latest=False)
        job = msgspec.structs.replace(job, id=len(self._jobs) + 1, latest=True)
        self._jobs[job.id] = job
        return job

    def save(self, pipeline: PipelineRecord, jobs: list[JobRecord]) -> None:
        self._pipelines[pipeline.id] = pipeline
        self._jobs.update((job.id, job) for job in jobs)

    def pipeline(self, pipeline_id: int) -> PipelineRecord | None:
        return self._pipelines.get(pipeline_id)

    def compiled(self, pipeline_id: int) -> Pipeline:
        return self._compiled[pipeline_id]

    def pipelines(self, project_id: int, limit: int = 20) -> list[PipelineRecord]:
        found = [p for p in self._pipelines.values() if p.project_id == project_id]
        return found[::-1][:limit]

    def unfinished(self, project_id: int | None = None, ref: str | None = None) -> list[PipelineRecord]:
        going = ACTIVE if ref is None else GOING
        busy = {job.pipeline_id for job in self._jobs.values() if job.latest and job.status in going}
        found = [self._pipelines[number] for number in sorted(busy)]
        return [p for p in found if project_id in (None, p.project_id) and ref in (None, p.ref)]

    def jobs(self, pipeline_id: int, all_tries: bool = False) -> list[JobRecord]:
        of_pipeline = (job for job in self._jobs.values() if job.pipeline_id == pipeline_id)
        return [job for job in of_pipeline if all_tries or job.latest]

    def job(self, job_id: int) -> JobRecord | None:
        return self._jobs.get(job_id)

    def resource_holders(self, project_id: int, resource_group: str) -> list[JobRecord]:
        return self._grouped(project_id, resource_group, HOLDING)

    def waiting_for_resource(self, project_id: int, resource_group: str) -> list[JobRecord]:
        return self._grouped(project_id, resource_group, UPCOMING)

    def _grouped(self, project_id: int, resource_group: str, statuses: frozenset[Status]) -> list[JobRecord]:
        return [
            job
            for job in self._jobs.values()
            if job.resource_group == resource_group
            and job.latest
            and job.status in statuses
            and self._pipelines[job.pipeline_id].project_id == project_id
        ]

    def _write(self, project_id: int, kind: str, name: str, record: bytes | None) -> None:
        if record is None:
            self._possessions.pop((project_id, kind, name), None)
        else:
            self._possessions[project_id, kind, name] = record

    def _read(self, project_id: int | None, kind: str, name: str | None) -> list[tuple[int, bytes]]:
        return [
            (place[0], record)
            for place, record in sorted(self._possessions.items())
            if project_id in (None, place[0]) and place[1] == kind and name in (None, place[2])
        ]

    def set_variable(self, project_id: int, variable: ProjectVariable) -> None:
        self._variables[project_id, variable.key, variable.environment_scope] = variable

    def variables(self, project_id: int) -> list[ProjectVariable]:
        return [variable for key, variable in sorted(self._variables.items()) if key[0] == project_id]

    def delete_variable(self, project_id: int, key: str, environment_scope: str | None = None) -> int:
        doomed = [
            place
            for place in self._variables
            if place[:2] == (project_id, key) and environment_scope in (None, place[2])
        ]
        for place in doomed:
            del self._variables[place]
        return len(doomed)

    def save_deployment(self, project_id: int, deployment: Deployment) -> None:
        self._deployments[project_id, deployment.job_id] = deployment

    def deployment_of(self, job_id: int) -> Deployment | None:
        return next((found for (_, number), found in self._deployments.items() if number == job_id), None)

    def deployments(self, project_id: int, environment: str | None = None) -> list[Deployment]:
        return [
            deployment
            for (project, _), deployment in sorted(self._deployments.items(), reverse=True, key=lambda i: i[0])
            if project == project_id and environment in (None, deployment.environment)
        ]

    def write_trace(self, job_id: int, offset: int, data: bytes) -> int:
        trace = self._traces.setdefault(job_id, bytearray())
        if offset <= len(trace):
            trace[offset : offset + len(data)] = data
        return len(trace)

    def read_trace(self, job_id: int, start: int = 0, limit: int | None = None) -> bytes:
        trace = self._traces.get(job_id, bytearray())
        return bytes(trace[start : None if limit is None else start + limit])
