"""Everything that one server process works with, opened together and closed together.

What starts pipelines by itself (trigger jobs, tags that releases make) stands above this and is put in by
`shipline.server.opening`; here is only what others ask of it.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from shipline.engine.id_tokens import Issuer
from shipline.engine.pipelines import Pipelines
from shipline.engine.publishing import Publisher
from shipline.engine.records import JobRecord, PipelineRecord
from shipline.engine.states import COMPLETED
from shipline.server import tables as t
from shipline.server.accounts import Accounts
from shipline.server.artifacts import Artifacts
from shipline.server.backed_objects import note_address, opened
from shipline.server.database import Database
from shipline.server.deploy_tokens import DeployTokens
from shipline.server.depot import Depot
from shipline.server.errors import ServerError
from shipline.server.handout import Handout
from shipline.server.limits import Limits
from shipline.server.merge_requests import MergeRequests
from shipline.server.mirrored_requests import Told
from shipline.server.notes import Notes
from shipline.server.permissions import Caller
from shipline.server.projects import Projects
from shipline.server.registry_key import RegistryKey
from shipline.server.runners import Runners
from shipline.server.settings import Settings
from shipline.server.store import DatabaseStore
from shipline.server.traces import Traces
from shipline.server.uploads import Uploads
from shipline.server.vault import Vault

VERSION = "18.0.0"
"""The version of GitLab's interfaces that clients are told."""


@dataclass
class Update:
    """The update of a mirror that runs; `again`: another is wanted when it has ended."""

    task: asyncio.Task[None]
    again: bool = False


class TriggerJobs(Protocol):
    """What is asked of whoever starts trigger jobs: see `shipline.server.downstream`."""

    def own(self, record: PipelineRecord, caller: Caller) -> None: ...

    def in_name_of(self, job: JobRecord, user_id: int) -> None: ...

    def may_fetch(self, job_id: int, project_id: int) -> bool: ...

    def round(self) -> None: ...

    async def close(self) -> None: ...


class TagMaker(Publisher, Protocol):
    """A place that jobs publish to, and that makes tags for people, too: see `shipline.server.publisher`."""

    def make_tag(self, project: Any, caller: Caller, name: str, ref: str, message: str) -> str: ...


class Instance:
    """Opened in the thread of the event loop, which is the only one that uses the database."""

    downstream: TriggerJobs
    publisher: TagMaker

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        try:
            for folder in ("", "repositories", "traces", "artifacts"):
                (settings.home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
            note_address(settings)
        except OSError as error:
            raise ServerError(
                f"{settings.home} cannot be used: {error.strerror}. Name another with --home."
            ) from None
        os.umask(0o077)
        self.vault = Vault.open(settings.home / "key")
        self.database = Database(settings.database_url)
        self.database.migrate()
        bucket = opened(settings.objects)
        self.depot = Depot(settings.home, bucket, settings.copies_limit, settings.objects_after)
        self.traces = Traces(settings.home / "traces", self.depot)
        self.artifacts = Artifacts(self.database, settings.home / "artifacts", self.depot)
        self.store = DatabaseStore(self.database, self.vault, self.traces)
        self.store.sealing.seal_what_is_open(self.database)
        self.pipelines = Pipelines(self.store)
        self.accounts = Accounts(self.database)
        self.projects = Projects(self.database, settings.home / "repositories")
        self.groups = self.projects.groups
        self.merge_requests = MergeRequests(self.database)
        self.notes = Notes(self.database)
        self.uploads = Uploads(self.database, settings.home / "uploads")
        self.deploy_tokens = DeployTokens(self.database)
        self.runners = Runners(self.database, self.vault, self.store.tick)
        self.issuer = Issuer(settings.home, settings.url)
        self.handout = Handout(
            self.store, self.pipelines, self.projects, self.runners, settings, self.issuer, self.artifacts
        )
        self.loop = asyncio.get_running_loop()
        self.registry_key = RegistryKey(settings.home)
        self.limits = Limits()
        self.cleaned_at = time.monotonic()
        self.stopping = asyncio.Event()
        self.mirror_updates: dict[int, Update] = {}
        self.mirrored_requests: dict[int, list[Told]] = {}
        self.short_traces: set[int] = set()
        self.pipelines.owned.update(record.id for record in self.store.unfinished())

    def audit(self, action: str, subject: str, user_id: int | None = None, address: str | None = None) -> None:
        """Notes who did what to whom."""
        now = time.time()
        self.database.insert(t.audit, at=now, user_id=user_id, address=address, action=action, subject=subject)

    def delete_project(self, project: Any) -> None:
        """Stops what runs of the project, and removes it with everything that belongs to it."""
        busy = sa.select(t.jobs.c.pipeline_id).where(
            t.jobs.c.project_id == project.id, t.jobs.c.status.in_(("pending", "running", "canceling"))
        )
        for row in self.database.all(busy.distinct()):
            self.pipelines.cancel(row[0])
        self.projects.delete(project)
        self.uploads.delete_all(project.id)

    def delete_pipeline(self, pipeline_id: int) -> None:
        """Stops a pipeline and removes it, with logs and artifacts."""
        record = self.store.pipeline(pipeline_id)
        if record is not None and record.status not in COMPLETED:
            self.pipelines.cancel(pipeline_id)
        numbers = [job.id for job in self.store.jobs(pipeline_id, all_tries=True)]
        with self.database.transaction():
            for table in (t.assignments, t.queue, t.artifacts):
                self.database.execute(sa.delete(table).where(table.c.job_id.in_(numbers)))
            self.database.execute(sa.delete(t.jobs).where(t.jobs.c.pipeline_id == pipeline_id))
            self.database.execute(sa.delete(t.pipelines).where(t.pipelines.c.id == pipeline_id))
            self.pipelines.forget(pipeline_id)
        for number in numbers:
            self.artifacts.delete(number)
            self.traces.erase(number)

    def close(self) -> None:
        self.database.close()
