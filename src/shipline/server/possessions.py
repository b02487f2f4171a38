"""What projects have besides pipelines, in the server's database: `shipline.engine.possessions` on SQLAlchemy, and
what was deployed to environments.

Environments have a table of their own, since clients look them up by number, state and part of the name; everything
else is a record by kind and name.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
import sqlalchemy as sa

from shipline.engine.possessions import Environment, Possessions, ProjectSettings
from shipline.engine.records import Deployment
from shipline.server import tables as t
from shipline.server.database import Database
from shipline.server.project_settings import changed, settings_of

ENVIRONMENT = "environment"


class DatabasePossessions(Possessions):
    """A part of the store."""

    database: Database

    def _write(self, project_id: int, kind: str, name: str, record: bytes | None) -> None:
        if kind == ENVIRONMENT:
            self._write_environment(project_id, name, record)
            return
        place = {"project_id": project_id, "kind": kind, "name": name}
        known = sa.and_(*(t.possessions.c[key] == value for key, value in place.items()))
        if record is None:
            self.database.execute(sa.delete(t.possessions).where(known))
        elif not self.database.execute(sa.update(t.possessions).where(known).values(record=record)).rowcount:
            self.database.insert(t.possessions, **place, record=record)

    def _write_environment(self, project_id: int, name: str, record: bytes | None) -> None:
        own = (t.environments.c.project_id == project_id) & (t.environments.c.name == name)
        if record is None:
            self.database.execute(sa.delete(t.environments).where(own))
            return
        environment = msgspec.json.decode(record, type=Environment)
        values = {
            "external_url": environment.url,
            "description": environment.description,
            "tier": environment.tier,
            "state": environment.state,
            "updated_at": environment.updated_at,
            "auto_stop_at": environment.auto_stop_at,
            "record": record,
        }
        if not self.database.execute(sa.update(t.environments).where(own).values(**values)).rowcount:
            named = {"project_id": project_id, "name": name, "created_at": environment.created_at}
            self.database.insert(t.environments, **named, **values)

    def _read(self, project_id: int | None, kind: str, name: str | None) -> list[tuple[int, bytes]]:
        table = t.environments if kind == ENVIRONMENT else t.possessions
        query = sa.select(table).order_by(table.c.project_id, table.c.name)
        if kind != ENVIRONMENT:
            query = query.where(table.c.kind == kind)
        if project_id is not None:
            query = query.where(table.c.project_id == project_id)
        if name is not None:
            query = query.where(table.c.name == name)
        return [
            (row.project_id, row.record or msgspec.json.encode(environment_of(row)))
            for row in self.database.all(query)
        ]

    def settings(self, project_id: int) -> ProjectSettings:
        return ProjectSettings(forward_deployment=settings_of(self._project(project_id)).forward_deployment)

    def set_settings(self, project_id: int, settings: ProjectSettings) -> None:
        text = changed(self._project(project_id), forward_deployment=settings.forward_deployment)
        known = t.projects.c.id == project_id
        self.database.execute(sa.update(t.projects).where(known).values(settings=text))

    def _project(self, project_id: int) -> Any:
        return self.database.one(sa.select(t.projects.c.settings).where(t.projects.c.id == project_id))

    def save_deployment(self, project_id: int, deployment: Deployment) -> None:
        values = _columns(deployment)
        known = t.deployments.c.job_id == deployment.job_id
        if not self.database.execute(sa.update(t.deployments).where(known).values(**values)).rowcount:
            named = {"project_id": project_id, "job_id": deployment.job_id, "environment": deployment.environment}
            self.database.insert(t.deployments, **named, **values)

    def add_deployment(self, project_id: int, deployment: Deployment, user_id: int) -> int:
        """Notes what another program than a job has deployed; gives the number of the row."""
        lowest = sa.select(sa.func.min(t.deployments.c.job_id))
        job_id = min(self.database.execute(lowest).scalar() or 0, 0) - 1
        deployment = msgspec.structs.replace(deployment, job_id=job_id)
        named = {"project_id": project_id, "job_id": job_id, "environment": deployment.environment}
        return self.database.insert(t.deployments, **named, user_id=user_id, **_columns(deployment))

    def deployments(self, project_id: int, environment: str | None = None) -> list[Deployment]:
        query = sa.select(t.deployments.c.record).where(t.deployments.c.project_id == project_id)
        if environment is not None:
            query = query.where(t.deployments.c.environment == environment)
        rows = self.database.all(query.order_by(t.deployments.c.job_id.desc()))
        return [msgspec.json.decode(row[0], type=Deployment) for row in rows]

    def deployment_of(self, job_id: int) -> Deployment | None:
        query = sa.select(t.deployments.c.record).where(t.deployments.c.job_id == job_id)
        found = self.database.one(query)
        return msgspec.json.decode(found[0], type=Deployment) if found else None

    def due_environments(self, now: float) -> list[tuple[int, Environment]]:
        due = (t.environments.c.state == "available") & (t.environments.c.auto_stop_at < now)
        rows = self.database.all(sa.select(t.environments).where(due).order_by(t.environments.c.id))
        return [(row.project_id, environment_of(row)) for row in rows]


def _columns(deployment: Deployment) -> dict[str, Any]:
    return {
        "updated_at": time.time(),
        "record": msgspec.json.encode(deployment),
        "action": deployment.action,
        "status": deployment.status,
        "ref": deployment.ref,
    }


def environment_of(row: Any) -> Environment:
    """An environment from its row; one that an earlier version made has no record."""
    values = row._mapping
    if values["record"]:
        return msgspec.json.decode(values["record"], type=Environment)
    fields = {key: values[key] for key in ("name", "tier", "state", "created_at", "updated_at", "description")}
    return Environment(**fields, url=values["external_url"])
