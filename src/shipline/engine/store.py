"""What outlives a pipeline's process, as an interface. Two stores: `memory_store` and `sqlite_store`.

Life cycle: opened once a process, closed at its end; called from one thread. Several processes may have the
same store open. What must be seen and changed together happens inside `transaction()`, which other processes'
transactions wait for; an exception inside undoes it. Nested ones belong to the outermost.

What a project has besides (`possess`, `possessions`, ...) is said in `shipline.engine.possessions`. The variables
of project 0 are those of the whole instance.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from shipline.engine.possessions import Environment, ProjectSettings, Record
from shipline.engine.records import Deployment, JobRecord, PipelineRecord, Project, ProjectVariable
from shipline.language.pipeline import Pipeline


class Store(Protocol):
    process: str
    """The name of this process, as records carry it."""

    def alive(self, process: str | None) -> bool:
        """Whether the process of that name still lives."""

    def transaction(self) -> AbstractContextManager[None]: ...

    def version(self) -> int:
        """A number that changes when another process has changed the store."""

    def close(self) -> None: ...

    def project(self, path: str) -> Project:
        """The project of that directory; made when it is new."""

    def project_by_id(self, project_id: int) -> Project: ...

    def add_pipeline(
        self, pipeline: PipelineRecord, compiled: Pipeline, jobs: list[JobRecord]
    ) -> tuple[PipelineRecord, list[JobRecord]]:
        """Stores a new pipeline and its jobs; gives them back with their `id` (and `iid`), which grow; a pipeline
        for which an `iid` was taken keeps that one (`shipline.engine.numbering`)."""

    def newest_iid(self, project_id: int) -> int:
        """The largest `iid` that a pipeline of the project has; 0 where there is none."""

    def add_job(self, job: JobRecord) -> JobRecord:
        """Stores a new try of a job, with a new id; earlier tries of that name stop being the latest."""

    def save(self, pipeline: PipelineRecord, jobs: list[JobRecord]) -> None:
        """Stores the changed records."""

    def pipeline(self, pipeline_id: int) -> PipelineRecord | None: ...

    def compiled(self, pipeline_id: int) -> Pipeline:
        """What the language made of the pipeline's configuration."""

    def pipelines(self, project_id: int, limit: int = 20) -> list[PipelineRecord]:
        """The project's pipelines, newest first."""

    def unfinished(self, project_id: int | None = None, ref: str | None = None) -> list[PipelineRecord]:
        """Pipelines of all projects that have a job which a process runs or should run; with a project and its ref,
        the pipelines of that ref that have one, or one that waits for its time."""

    def jobs(self, pipeline_id: int, all_tries: bool = False) -> list[JobRecord]:
        """A pipeline's jobs in the order of their ids; the latest try of each, or all."""

    def job(self, job_id: int) -> JobRecord | None: ...

    def resource_holders(self, project_id: int, resource_group: str) -> list[JobRecord]:
        """The jobs that have the resource of a group, in any pipeline of the project."""

    def set_variable(self, project_id: int, variable: ProjectVariable) -> None:
        """Adds a variable, or replaces the one of the same key and scope."""

    def variables(self, project_id: int) -> list[ProjectVariable]:
        """The project's variables by key and scope."""

    def delete_variable(self, project_id: int, key: str, environment_scope: str | None = None) -> int:
        """Deletes the variables of that key (and scope); gives how many there were."""

    def save_deployment(self, project_id: int, deployment: Deployment) -> None:
        """Stores a deployment, or what has become of it (one a job)."""

    def deployment_of(self, job_id: int) -> Deployment | None:
        """What a job has made of an environment."""

    def deployments(self, project_id: int, environment: str | None = None) -> list[Deployment]:
        """The deployments, newest first."""

    def waiting_for_resource(self, project_id: int, resource_group: str) -> list[JobRecord]:
        """The jobs, in any pipeline of the project, that want the resource of a group: those that wait for it, and
        those that have not come so far (`created`, `scheduled`)."""

    def possess(self, project_id: int, record: Record) -> None: ...

    def possessions(self, project_id: int, kind: type[Record]) -> list[Record]: ...

    def everywhere(self, kind: type[Record]) -> list[tuple[int, Record]]: ...

    def possession(self, project_id: int, kind: type[Record], name: str) -> Record | None: ...

    def dispossess(self, project_id: int, kind: type[Record], name: str) -> None: ...

    def due_environments(self, now: float) -> list[tuple[int, Environment]]: ...

    def settings(self, project_id: int) -> ProjectSettings: ...

    def set_settings(self, project_id: int, settings: ProjectSettings) -> None: ...

    def write_trace(self, job_id: int, offset: int, data: bytes) -> int:
        """Adds to a job's log at `offset`, unless that leaves a gap; gives the bytes now stored."""

    def read_trace(self, job_id: int, start: int = 0, limit: int | None = None) -> bytes:
        """A job's log from byte `start`, empty when there is none."""
