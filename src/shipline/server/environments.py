"""What deployments make of environments: made by the first, stopped by a job whose action is `stop`."""

from __future__ import annotations

import time

import sqlalchemy as sa

from shipline.engine.deployments import DEPLOYING, record_end
from shipline.engine.pipelines import Pipelines
from shipline.engine.records import Deployment, JobRecord, PipelineRecord
from shipline.engine.states import COMPLETED
from shipline.server import tables as t
from shipline.server.database import Database
from shipline.server.store import DatabaseStore


class Environments:
    """Listens to the pipelines, and keeps environments as their deployments leave them."""

    def __init__(self, store: DatabaseStore, pipelines: Pipelines) -> None:
        self.store = store
        self.pipelines = pipelines
        pipelines.listeners.append(self.changed)

    def changed(self, record: PipelineRecord, jobs: list[JobRecord]) -> None:
        """Jobs have changed; those that deploy and have ended end their deployments."""
        ended = [job for job in jobs if job.status in COMPLETED]
        if not ended:
            return
        live = self.pipelines.live(record.id)
        for job in ended:
            if live.definitions[job.name].environment.get("name"):
                record_end(self.store, live, job)
                self._settle(record.project_id, job)

    def _settle(self, project_id: int, job: JobRecord) -> None:
        own = self.store.deployment_of(job.id)
        if own is not None and own.status == "success":
            note(self.store.database, project_id, own)


def note(database: Database, project_id: int, deployment: Deployment) -> None:
    """Brings the environment up to date with a deployment that has begun, or succeeded."""
    if deployment.action not in DEPLOYING:
        return
    now = time.time()
    state = "stopped" if (deployment.action, deployment.status) == ("stop", "success") else "available"
    values = {"state": state, "updated_at": now}
    if deployment.url:
        values["external_url"] = deployment.url
    own = (t.environments.c.project_id == project_id) & (t.environments.c.name == deployment.environment)
    with database.transaction():
        if not database.execute(sa.update(t.environments).where(own).values(**values)).rowcount:
            named = {"project_id": project_id, "name": deployment.environment, "tier": deployment.tier or "other"}
            database.insert(t.environments, created_at=now, **named, **values)
