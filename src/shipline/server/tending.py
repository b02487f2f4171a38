"""What happens without anybody's doing: delayed jobs fall due, silent runners are given up, others write."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection

import sqlalchemy as sa

from shipline.engine.environments import stop_due
from shipline.engine.sites import expire
from shipline.engine.states import COMPLETED
from shipline.server import tables as t
from shipline.server.accepting import merge_due
from shipline.server.instance import Instance
from shipline.server.mirrors import update_due
from shipline.server.retention import EVERY, clean
from shipline.server.schedules import run_due

LOOK_AROUND = 0.25
"""Seconds between two looks at what another process has changed."""
ROUND = 5.0
"""Seconds between two rounds of everything else."""

log = logging.getLogger("shipline.server")


async def tend(instance: Instance) -> None:
    """Runs until it is cancelled."""
    last = 0.0
    while True:
        try:
            _look(instance)
            if time.monotonic() - last > ROUND:
                last = time.monotonic()
                await _round(instance)
        except Exception:
            log.exception("tending")
        await asyncio.sleep(LOOK_AROUND)


def _look(instance: Instance) -> None:
    pipelines = instance.pipelines
    if (version := instance.store.version()) != pipelines.seen:
        pipelines.seen = version
        pipelines.refresh()
        pipelines.bell.ring()
    pipelines.owned = set(instance.store.waiting())
    pipelines.tick()


async def _round(instance: Instance) -> None:
    """One thing after the other; what goes wrong in one of them is logged, and holds up none of the others."""
    for duty in DUTIES:
        try:
            begun = duty(instance)
            if begun is not None:
                await begun
        except Exception:
            log.exception("tending: %s", duty.__name__)


def expire_files(instance: Instance) -> None:
    """Removes artifacts and sites whose time is over."""
    for job_id in instance.artifacts.expire():
        instance.pipelines.files_gone(job_id)
    expire(instance.store, instance.publisher.sites, time.time())


def stop_environments(instance: Instance) -> None:
    """Stops the environments whose `auto_stop_in` has passed."""
    stop_due(instance.pipelines)


def look_after_pipelines(instance: Instance) -> None:
    """Starts trigger jobs that wait, and lets go of pipelines in which nothing happens."""
    instance.downstream.round()
    instance.pipelines.forget_settled()


async def move_objects(instance: Instance) -> None:
    """Brings the files of jobs that have ended to the bucket."""
    await instance.depot.round(lambda numbers: ended_jobs(instance, numbers))


async def clean_up(instance: Instance) -> None:
    """Removes what is too old to be kept, now and then."""
    if time.monotonic() - instance.cleaned_at > EVERY:
        instance.cleaned_at = time.monotonic()
        await clean(instance)


def ended_jobs(instance: Instance, numbers: Collection[int]) -> set[int]:
    """Those of these jobs that have ended."""
    query = sa.select(t.jobs.c.id).where(t.jobs.c.status.in_(sorted(COMPLETED)), t.jobs.c.id.in_(list(numbers)))
    return {row[0] for row in instance.database.all(query)}


def give_up_on_silent_runners(instance: Instance, now: float | None = None) -> None:
    """Fails jobs whose runner was given them and never said that it starts, or has said nothing for long."""
    now = now or time.time()
    query = sa.select(t.assignments, t.jobs.c.status).join(t.jobs, t.jobs.c.id == t.assignments.c.job_id)
    query = query.where(t.jobs.c.status.in_(("pending", "running", "canceling")))
    late = (t.jobs.c.status == "pending") & (t.assignments.c.acknowledge_by < now)
    silent = t.jobs.c.status.in_(("running", "canceling")) & (
        t.assignments.c.updated_at < now - instance.settings.silent_for
    )
    for row in instance.database.all(query.where(late | silent)):
        job = instance.store.job(row.job_id)
        if job is not None:
            reason = "runner_provisioning_timeout" if row.status == "pending" else f"no_updates_{row.status}"
            instance.pipelines.finished(job, "failed", reason)


DUTIES: tuple[Callable[[Instance], Awaitable[None] | None], ...] = (
    give_up_on_silent_runners,
    expire_files,
    stop_environments,
    look_after_pipelines,
    merge_due,
    update_due,
    run_due,
    move_objects,
    clean_up,
)
"""What a round does, in this order."""
