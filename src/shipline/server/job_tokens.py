"""A job's token: good for that job, while it runs, and for reading its own project."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from shipline.engine.records import JobRecord
from shipline.server import tables as t
from shipline.server.accounts import caller_of
from shipline.server.instance import Instance
from shipline.server.permissions import Caller
from shipline.server.prepared import Prepared
from shipline.server.vault import digest

LONGEST = 500
EXECUTING = ("running", "canceling")

_by_digest = Prepared(sa.select(t.assignments).where(t.assignments.c.digest == sa.bindparam("digest")))


def assignment(instance: Instance, token: str) -> Any | None:
    """What is known of the job that a token was made for; None for any other text."""
    if not token or len(token) > LONGEST:
        return None
    return instance.database.first(_by_digest, digest=digest(token))


def is_executing(job: JobRecord, assigned: Any) -> bool:
    """Whether a runner is at work on the job, or about to be (two-phase commit)."""
    return job.status in EXECUTING or (job.status == "pending" and assigned.acknowledge_by is not None)


def job_caller(instance: Instance, token: str) -> Caller | None:
    """Whom the token of a running job stands for: the pipeline's user, in the job's project alone."""
    assigned = assignment(instance, token)
    job = instance.store.job(assigned.job_id) if assigned else None
    if assigned is None or job is None or not is_executing(job, assigned):
        return None
    query = sa.select(t.pipelines.c.project_id, t.pipelines.c.user_id).where(t.pipelines.c.id == job.pipeline_id)
    pipeline = instance.database.one(query)
    user = instance.accounts.user(pipeline.user_id) if pipeline else None
    if pipeline is None or user is None or user.state != "active":
        return None
    named = caller_of(user, frozenset({"read_repository", "read_registry", "write_registry"}))
    return Caller(
        named.user_id,
        named.username,
        named.name,
        named.email,
        named.admin,
        named.scopes,
        job_id=job.id,
        project_id=pipeline.project_id,
    )
