"""Which runner, or which job, a call of the runner API comes from."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import sqlalchemy as sa

from shipline.engine.records import JobRecord
from shipline.server import tables as t
from shipline.server.http.answers import Refusal, because, refusal
from shipline.server.http.call import Call
from shipline.server.http.parameters import number_in
from shipline.server.job_tokens import assignment, is_executing
from shipline.server.runners import Info

HEARD_EVERY = 5.0
"""Seconds between two notes that a job's runner is alive."""


class RunningJob(msgspec.Struct):
    """A job that its runner speaks for, and what is known of the two."""

    job: JobRecord
    assigned: Any


def runner(call: Call) -> Any:
    """The runner of the call's token; 403 when there is none."""
    call.required("token")
    found = call.instance.runners.by_token(call.text("token"))
    if found is None:
        raise refusal(403, "403 Forbidden")
    return found


def heard_of(call: Call, known: Any) -> Any:
    """Notes the call; gives the runner's manager."""
    told = call.values.get("info")
    info = None
    if isinstance(told, dict):
        try:
            info = msgspec.convert(told, Info, strict=False)
        except msgspec.ValidationError:
            raise Refusal(400, {"error": "info is invalid"}) from None
    return call.instance.runners.heard_of(known, call.text("system_id") or None, info, call.address)


def running_job(call: Call, *, limit: str, a_minute: float) -> RunningJob:
    """The job that the call's token was made for, which must be the path's. 403 for anything else, never 404: a
    runner takes 403 for an order to stop."""
    token = call.text("token") or call.request.headers.get("job-token", "")
    call.limit(limit, token, a_minute)
    asked = call.path["id"]
    assigned = assignment(call.instance, token)
    number = number_in(asked)
    named = call.instance.store.job(number) if number is not None else None
    job = call.instance.store.job(assigned.job_id) if assigned is not None else None
    if named is None or assigned is None or job is None:
        raise refusal(403)
    if not is_executing(job, assigned):
        raise because(403, "Job is not processing on runner", Job_Status=job.status)
    if named.id != job.id:
        raise refusal(403)
    return RunningJob(job, assigned)


def heard_of_job(call: Call, running: RunningJob) -> None:
    """Notes that the job's runner is alive."""
    now = time.time()
    if now - running.assigned.updated_at > HEARD_EVERY:
        alive = sa.update(t.assignments).where(t.assignments.c.job_id == running.job.id)
        call.instance.database.execute(alive.values(updated_at=now))
