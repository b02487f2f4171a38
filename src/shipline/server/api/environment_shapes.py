"""Environments and deployments as GitLab shows them: each is shown with the other."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from shipline.engine.records import Deployment
from shipline.language.predefined import environment_slug
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.http.answers import time_text
from shipline.server.http.call import Call
from shipline.server.possessions import environment_of

BASIC = ("id", "name", "slug", "external_url", "created_at", "updated_at")


def environment_shape(row: Any) -> shapes.Shape:
    """An environment's row as GitLab shows it."""
    environment = environment_of(row)
    return {
        "id": row.id,
        "name": row.name,
        "slug": environment_slug(row.name),
        "external_url": row.external_url,
        "created_at": time_text(row.created_at),
        "updated_at": time_text(row.updated_at),
        "tier": row.tier,
        "state": row.state,
        "auto_stop_at": time_text(row.auto_stop_at),
        "description": row.description,
        "auto_stop_setting": environment.auto_stop_setting,
    }


def basic(row: Any) -> shapes.Shape:
    """An environment where it is named by something else."""
    full = environment_shape(row)
    return {key: full[key] for key in BASIC}


def deployment_shape(call: Call, project: Any, row: Any) -> shapes.Shape:
    """A deployment's row as GitLab shows it."""
    record = msgspec.json.decode(row.record, type=Deployment)
    job = call.instance.database.one(sa.select(t.jobs).where(t.jobs.c.id == record.job_id))
    named = (t.environments.c.project_id == project.id) & (t.environments.c.name == record.environment)
    environment = call.instance.database.one(sa.select(t.environments).where(named))
    pipeline = shapes.pipeline_row(call.instance, record.pipeline_id)
    return {
        "id": row.id,
        "iid": row.id,
        "ref": record.ref,
        "sha": record.sha,
        "created_at": time_text(record.created_at),
        "updated_at": time_text(row.updated_at),
        "user": shapes.user_of(call, pipeline.user_id if pipeline is not None else row.user_id),
        "environment": basic(environment) if environment is not None else None,
        "deployable": shapes.job(call, job, project.full_path) if job is not None else None,
        "status": record.status,
    }
