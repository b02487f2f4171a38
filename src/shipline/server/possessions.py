"""What projects have besides pipelines, in the server's database: `shipline.engine.possessions` on SQLAlchemy.

Environments have a table of their own, since clients look them up by number, state and part of the name; everything
else is a record by kind and name.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from shipline.engine.possessions import Environment, Possessions
from shipline.server import tables as t
from shipline.server.database import Database

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

    def due_environments(self, now: float) -> list[tuple[int, Environment]]:
        due = (t.environments.c.state == "available") & (t.environments.c.auto_stop_at < now)
        rows = self.database.all(sa.select(t.environments).where(due).order_by(t.environments.c.id))
        return [(row.project_id, environment_of(row)) for row in rows]


def environment_of(row: sa.Row[tuple[object, ...]] | object) -> Environment:
    """An environment from its row; one that an earlier version made has no record."""
    values = row._mapping  # type: ignore[union-attr]
    if values["record"]:
        return msgspec.json.decode(values["record"], type=Environment)
    fields = {key: values[key] for key in ("name", "tier", "state", "created_at", "updated_at", "description")}
    return Environment(**fields, url=values["external_url"])
