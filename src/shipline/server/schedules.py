"""Schedules: pipelines at the times that a cron expression names, in their owner's name."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import sqlalchemy as sa

from shipline.engine.errors import EngineError
from shipline.engine.records import PipelineVariable
from shipline.language import LanguageError
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.accounts import caller_of
from shipline.server.creation import Order, create_pipeline
from shipline.server.instance import Instance

log = logging.getLogger("shipline.server")


class ScheduleVariable(msgspec.Struct, frozen=True):
    key: str
    value: str
    variable_type: str = "env_var"


def next_run(cron: str, zone: str, after: float | None = None) -> float:
    """The next moment that the expression names. Raises ValueError for what is no expression or no zone."""
    from cronsim import CronSim, CronSimError

    try:
        start = datetime.fromtimestamp(after if after is not None else time.time(), ZoneInfo(zone))
        return next(CronSim(cron, start)).astimezone(UTC).timestamp()
    except (CronSimError, ZoneInfoNotFoundError, StopIteration, OSError, OverflowError) as error:
        raise ValueError(str(error)) from None


def seal_variables(instance: Instance, project_id: int, variables: list[ScheduleVariable]) -> bytes:
    """A schedule's variables as they are kept."""
    return instance.vault.seal(msgspec.json.encode(variables).decode(), _place(project_id))


def read_variables(instance: Instance, schedule: Any) -> list[ScheduleVariable]:
    text = instance.vault.unseal(schedule.variables, _place(schedule.project_id))
    return msgspec.json.decode(text, type=list[ScheduleVariable])


async def run(instance: Instance, schedule: Any) -> int | None:
    """Creates the schedule's pipeline; None, with a line in the log, when there can be none."""
    project = instance.projects.by_id(schedule.project_id)
    owner = instance.accounts.user(schedule.owner_id)
    if project is None or owner is None or owner.state != "active":
        return None
    caller = caller_of(owner)
    if instance.projects.level(project, caller) < may.DEVELOPER:
        return None
    order = Order(
        project=project,
        ref=schedule.ref,
        caller=caller,
        source="schedule",
        variables=[
            PipelineVariable(v.key, v.value, v.variable_type == "file") for v in read_variables(instance, schedule)
        ],
        schedule=schedule.description,
    )
    try:
        record = await create_pipeline(instance, order)
    except (EngineError, LanguageError) as error:
        log.warning("schedule %s of %s: %s", schedule.id, project.full_path, error)
        return None
    with instance.database.transaction():
        made = sa.update(t.pipelines).where(t.pipelines.c.id == record.id)
        instance.database.execute(made.values(schedule_id=schedule.id))
        last = sa.update(t.schedules).where(t.schedules.c.id == schedule.id)
        instance.database.execute(last.values(last_pipeline_id=record.id))
    return record.id


async def run_due(instance: Instance, now: float | None = None) -> None:
    """Runs what is due. Of several server processes, the one that moves the time on runs the schedule."""
    now = now or time.time()
    due = sa.select(t.schedules).where(t.schedules.c.active, t.schedules.c.next_run_at <= now)
    for schedule in instance.database.all(due):
        after = next_run(schedule.cron, schedule.cron_timezone, now)
        mine = (t.schedules.c.id == schedule.id) & (t.schedules.c.next_run_at == schedule.next_run_at)
        moved = sa.update(t.schedules).where(mine).values(next_run_at=after)
        if instance.database.execute(moved).rowcount:
            await run(instance, schedule)


def _place(project_id: int) -> str:
    return f"schedule variables of project {project_id}"
