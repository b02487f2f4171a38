"""The store on disk: one SQLite database, one file a job's log, private to the user.

Records are kept as JSON beside the few columns that queries look at. The journal is a write-ahead log, so that
readers never wait, and a process killed at any moment leaves a sound database. Whether the process that a record
names still lives is told by a lock on a file, which the system lets go when a process dies, however it dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from shipline.engine.errors import EngineError
from shipline.engine.numbering import taken
from shipline.engine.possessions import Possessions
from shipline.engine.records import Deployment, JobRecord, PipelineRecord, Project, ProjectVariable
from shipline.engine.states import ACTIVE, GOING, HOLDING, UPCOMING
from shipline.engine.trace_file import read_from, write_at
from shipline.language.pipeline import Pipeline

SCHEMA_VERSION = 4
SCHEMA = """
create table projects (id integer primary key autoincrement, path text not null unique);
create table pipelines (
    id integer primary key autoincrement, project_id integer not null, iid integer not null,
    record blob not null, compiled blob not null, unique (project_id, iid)
);
create table jobs (
    id integer primary key autoincrement, pipeline_id integer not null, name text not null,
    latest integer not null, status text not null, resource_group text, record blob not null
);
create index jobs_of_pipeline on jobs (pipeline_id);
create index jobs_by_status on jobs (status);
create table variables (
    project_id integer not null, key text not null, scope text not null, record blob not null,
    primary key (project_id, key, scope)
);
create table deployments (
    project_id integer not null, job_id integer primary key, environment text not null, record blob not null
);
"""
POSSESSIONS = """
create table possessions (
    project_id integer not null, kind text not null, name text not null, record blob not null,
    primary key (project_id, kind, name)
);
"""
# A row is written whole at each change: what never changes, and is large, has rows of its own.
COMPILED = """
create table compiled (pipeline_id integer primary key, pipeline blob not null);
insert into compiled select id, compiled from pipelines;
update pipelines set compiled = x''
"""
LOGS_OF_THEIR_OWN = ""
STEPS = {1: SCHEMA, 2: POSSESSIONS, 3: COMPILED, 4: LOGS_OF_THEIR_OWN}
"""What each version has more than the one before; of the fourth, logs were moved (`_move_logs`)."""


class SqliteStore(Possessions):
    """Implements `shipline.engine.store.Store` in the directory `home` (made, mode 0700, when it is missing)."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._home = home
        self._lock: int | None = None
        self.process = os.urandom(8).hex()
        self._db = _open(home / "shipline.db")

    def alive(self, process: str | None) -> bool:
        if process is None:
            return False
        if process == self.process:
            return True
        path = self._lock_path(process)
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        path.unlink(missing_ok=True)
        return False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._db.in_transaction:
            yield
            return
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def version(self) -> int:
        return int(self._db.execute("pragma data_version").fetchone()[0])

    def close(self) -> None:
        self._db.close()
        if self._lock is not None:
            self._lock_path(self.process).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def project(self, path: str) -> Project:
        found = self._db.execute("select id from projects where path = ?", (path,)).fetchone()
        if found is None:
            self._db.execute("insert or ignore into projects (path) values (?)", (path,))
            return self.project(path)
        return Project(id=found[0], path=path)

    def project_by_id(self, project_id: int) -> Project:
        found = self._db.execute("select path from projects where id = ?", (project_id,)).fetchone()
        return Project(id=project_id, path=found[0])

    def add_pipeline(
        self, pipeline: PipelineRecord, compiled: Pipeline, jobs: list[JobRecord]
    ) -> tuple[PipelineRecord, list[JobRecord]]:
        with self.transaction():
            self._take_lock()
            iid = pipeline.iid or taken(self, pipeline.project_id)
            number = self._db.execute(
                "insert into pipelines (project_id, iid, record, compiled) values (?, ?, ?, ?)",
                (pipeline.project_id, iid, b"", b""),
            ).lastrowid
            text = msgspec.json.encode(compiled)
            self._db.execute("insert into compiled (pipeline_id, pipeline) values (?, ?)", (number, text))
            pipeline = msgspec.structs.replace(pipeline, id=number, iid=iid)
            self._save_pipeline(pipeline)
            return pipeline, [self._insert(msgspec.structs.replace(j, pipeline_id=number)) for j in jobs]

    def newest_iid(self, project_id: int) -> int:
        query = "select coalesce(max(iid), 0) from pipelines where project_id = ?"
        return int(self._db.execute(query, (project_id,)).fetchone()[0])

    def add_job(self, job: JobRecord) -> JobRecord:
        with self.transaction():
            for other in self.jobs(job.pipeline_id):
                if other.name == job.name:
                    self._save_job(msgspec.structs.replace(other, latest=False))
            return self._insert(msgspec.structs.replace(job, latest=True))

    def save(self, pipeline: PipelineRecord, jobs: list[JobRecord]) -> None:
        with self.transaction():
            if pipeline.process == self.process:
                self._take_lock()
            self._save_pipeline(pipeline)
            for job in jobs:
                self._save_job(job)

    def pipeline(self, pipeline_id: int) -> PipelineRecord | None:
        found = self._db.execute("select record from pipelines where id = ?", (pipeline_id,)).fetchone()
        return msgspec.json.decode(found[0], type=PipelineRecord) if found else None

    def compiled(self, pipeline_id: int) -> Pipeline:
        found = self._db.execute("select pipeline from compiled where pipeline_id = ?", (pipeline_id,)).fetchone()
        return msgspec.json.decode(found[0], type=Pipeline)

    def pipelines(self, project_id: int, limit: int = 20) -> list[PipelineRecord]:
        query = "select record from pipelines where project_id = ? order by id desc limit ?"
        return [
            msgspec.json.decode(r[0], type=PipelineRecord) for r in self._db.execute(query, (project_id, limit))
        ]

    def unfinished(self, project_id: int | None = None, ref: str | None = None) -> list[PipelineRecord]:
        going = _names(ACTIVE if ref is None else GOING)
        busy = f"select pipeline_id from jobs where latest and status in {going}"
        query = f"select record from pipelines where id in ({busy}) order by id"
        found = [msgspec.json.decode(row[0], type=PipelineRecord) for row in self._db.execute(query)]
        return [p for p in found if project_id in (None, p.project_id) and ref in (None, p.ref)]

    def jobs(self, pipeline_id: int, all_tries: bool = False) -> list[JobRecord]:
        query = "select record from jobs where pipeline_id = ? and (latest or ?) order by id"
        rows = self._db.execute(query, (pipeline_id, all_tries))
        return [_JOB.decode(row[0]) for row in rows]

    def job(self, job_id: int) -> JobRecord | None:
        found = self._db.execute("select record from jobs where id = ?", (job_id,)).fetchone()
        return _JOB.decode(found[0]) if found else None

    def resource_holders(self, project_id: int, resource_group: str) -> list[JobRecord]:
        return self._grouped(project_id, resource_group, HOLDING)

    def waiting_for_resource(self, project_id: int, resource_group: str) -> list[JobRecord]:
        return self._grouped(project_id, resource_group, UPCOMING)

    def _grouped(self, project_id: int, resource_group: str, statuses: frozenset[str]) -> list[JobRecord]:
        query = (
            "select jobs.record from jobs join pipelines on pipelines.id = pipeline_id "
            f"where project_id = ? and resource_group = ? and latest and status in {_names(statuses)} "
            "order by jobs.id"
        )
        return [_JOB.decode(row[0]) for row in self._db.execute(query, (project_id, resource_group))]

    def _write(self, project_id: int, kind: str, name: str, record: bytes | None) -> None:
        if record is None:
            doomed = "delete from possessions where project_id = ? and kind = ? and name = ?"
            self._db.execute(doomed, (project_id, kind, name))
        else:
            self._db.execute(
                "insert or replace into possessions (project_id, kind, name, record) values (?, ?, ?, ?)",
                (project_id, kind, name, record),
            )

    def _read(self, project_id: int | None, kind: str, name: str | None) -> list[tuple[int, bytes]]:
        query = (
            "select project_id, record from possessions where coalesce(?, project_id) = project_id and kind = ? "
            "and coalesce(?, name) = name order by project_id, name"
        )
        return list(self._db.execute(query, (project_id, kind, name)))

    def set_variable(self, project_id: int, variable: ProjectVariable) -> None:
        self._db.execute(
            "insert or replace into variables (project_id, key, scope, record) values (?, ?, ?, ?)",
            (project_id, variable.key, variable.environment_scope, msgspec.json.encode(variable)),
        )

    def variables(self, project_id: int) -> list[ProjectVariable]:
        query = "select record from variables where project_id = ? order by key, scope"
        return [msgspec.json.decode(r[0], type=ProjectVariable) for r in self._db.execute(query, (project_id,))]

    def known_project(self, path: str) -> Project | None:
        """The project of that directory, which is not made when it is new."""
        found = self._db.execute("select id from projects where path = ?", (path,)).fetchone()
        return Project(id=found[0], path=path) if found else None

    def delete_variable(self, project_id: int, key: str, environment_scope: str | None = None) -> int:
        query = "delete from variables where project_id = ? and key = ? and coalesce(?, scope) = scope"
        return self._db.execute(query, (project_id, key, environment_scope)).rowcount

    def save_deployment(self, project_id: int, deployment: Deployment) -> None:
        self._db.execute(
            "insert or replace into deployments (project_id, job_id, environment, record) values (?, ?, ?, ?)",
            (project_id, deployment.job_id, deployment.environment, msgspec.json.encode(deployment)),
        )

    def deployment_of(self, job_id: int) -> Deployment | None:
        found = self._db.execute("select record from deployments where job_id = ?", (job_id,)).fetchone()
        return msgspec.json.decode(found[0], type=Deployment) if found else None

    def deployments(self, project_id: int, environment: str | None = None) -> list[Deployment]:
        query = (
            "select record from deployments where project_id = ? and coalesce(?, environment) = environment "
            "order by job_id desc"
        )
        rows = self._db.execute(query, (project_id, environment))
        return [msgspec.json.decode(row[0], type=Deployment) for row in rows]

    def write_trace(self, job_id: int, offset: int, data: bytes) -> int:
        return write_at(self._trace_path(job_id), offset, data)

    def read_trace(self, job_id: int, start: int = 0, limit: int | None = None) -> bytes:
        return read_from(self._trace_path(job_id), start, limit)

    def _insert(self, job: JobRecord) -> JobRecord:
        number = self._db.execute(
            "insert into jobs (pipeline_id, name, resource_group, status, latest, record) "
            "values (?, ?, ?, ?, 1, '')",
            (job.pipeline_id, job.name, job.resource_group, job.status),
        ).lastrowid
        job = msgspec.structs.replace(job, id=number)
        self._save_job(job)
        return job

    def _save_job(self, job: JobRecord) -> None:
        self._db.execute(
            "update jobs set latest = ?, status = ?, record = ? where id = ?",
            (job.latest, job.status, msgspec.json.encode(job), job.id),
        )

    def _save_pipeline(self, pipeline: PipelineRecord) -> None:
        record = msgspec.json.encode(pipeline)
        self._db.execute("update pipelines set record = ? where id = ?", (record, pipeline.id))

    def _trace_path(self, job_id: int) -> str:
        return f"{self._home}/jobs/{job_id}.log"

    def _lock_path(self, process: str) -> Path:
        return self._home / "processes" / process

    def _take_lock(self) -> None:
        """From the first pipeline on, others must be able to see whether this process lives."""
        if self._lock is None:
            path = self._lock_path(self.process)
            path.parent.mkdir(exist_ok=True, mode=0o700)
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)


_JOB = msgspec.json.Decoder(JobRecord)


def _names(statuses: frozenset[str]) -> str:
    return "(" + ", ".join(f"'{status}'" for status in sorted(statuses)) + ")"


def _open(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    version = db.execute("pragma user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise EngineError(
            f"{path} was written by a newer Shipline (its form is {version}, this one knows {SCHEMA_VERSION}). "
            "Upgrade Shipline, or set SHIPLINE_HOME to another directory.",
            exit_code=3,
        )
    db.execute("pragma synchronous = normal")
    if version < SCHEMA_VERSION:
        _create(db, path.parent)
    return db


def put_away(home: Path) -> None:
    """Takes what was written into the database's file, as the last `close` would; in any thread, at any time."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(home / "shipline.db")) as db:
        db.execute("pragma wal_checkpoint(passive)")


def _create(db: sqlite3.Connection, home: Path) -> None:
    """Two processes may come here at once: the second finds the work done."""
    db.execute("pragma journal_mode = wal")
    db.execute("begin immediate")
    for version in range(db.execute("pragma user_version").fetchone()[0] + 1, SCHEMA_VERSION + 1):
        for statement in STEPS[version].strip().split(";\n"):
            db.execute(statement)
        if STEPS[version] == LOGS_OF_THEIR_OWN:
            _move_logs(home)
        db.execute(f"pragma user_version = {version}")
    db.execute("commit")


def _move_logs(home: Path) -> None:
    """Each log lay in its job's folder, where the job's files are; now it lies beside it."""
    for log in (home / "jobs").glob("*/trace"):
        log.rename(f"{log.parent}.log")
