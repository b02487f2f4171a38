"""What other services say of commits: /projects/:id/statuses/:sha, beside what the commit's own jobs say."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.api.pipelines import reading
from shipline.server.git import content
from shipline.server.http.answers import no_such, refusal, time_text
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged
from shipline.server.http.routes import Endpoint

STATES = ("pending", "running", "success", "failed", "canceled", "skipped")
ENDED = ("success", "failed", "canceled", "skipped")
MOST = 1000
"""Statuses of one commit that are told."""


async def list_statuses(call: Call) -> Response:
    """The newest of each name, from jobs and from elsewhere; with `all`, every one."""
    project = call.project(reading(call))
    sha = await _commit(call, project)
    jobs = (
        sa.select(t.jobs)
        .join(t.pipelines, t.pipelines.c.id == t.jobs.c.pipeline_id)
        .where(t.pipelines.c.project_id == project.id, t.pipelines.c.sha == sha)
    )
    others = sa.select(t.commit_statuses).where(
        t.commit_statuses.c.project_id == project.id, t.commit_statuses.c.sha == sha
    )
    if (number := call.integer("pipeline_id")) is not None:
        jobs = jobs.where(t.jobs.c.pipeline_id == number)
        others = others.where(t.commit_statuses.c.pipeline_id == number)
    if not call.boolean("all"):
        jobs = jobs.where(t.jobs.c.latest)
    found = [
        _of_job(call, project, row)
        for row in call.instance.database.all(jobs.order_by(t.jobs.c.id.desc()).limit(MOST))
    ]
    theirs = call.instance.database.all(others.order_by(t.commit_statuses.c.id.desc()).limit(MOST))
    seen: set[tuple[str, str]] = set()
    for row in theirs:
        if call.boolean("all") or (row.ref, row.name) not in seen:
            seen.add((row.ref, row.name))
            found.append(_shape(call, row))
    for key in ("name", "ref"):
        if value := call.text(key):
            found = [shape for shape in found if shape[key] == value]
    return paged(call, found, lambda shape: shape)


async def create(call: Call) -> Response:
    project = call.project(may.DEVELOPER)
    sha = await _commit(call, project)
    name = call.text("name") or call.text("context") or "default"
    state, now = call.text("state"), time.time()
    ref = call.text("ref") or project.default_branch
    known = sa.select(t.commit_statuses).where(
        t.commit_statuses.c.project_id == project.id,
        t.commit_statuses.c.sha == sha,
        t.commit_statuses.c.ref == ref,
        t.commit_statuses.c.name == name,
    )
    last = call.instance.database.one(known.order_by(t.commit_statuses.c.id.desc()).limit(1))
    if last is not None and last.status == state and state in ("pending", "running"):
        text = f"Cannot transition status via :{'enqueue' if state == 'pending' else 'run'} from :{state}"
        raise refusal(400, text)
    coverage = call.text("coverage")
    values: dict[str, Any] = {
        "status": state,
        "target_url": call.text("target_url") or None,
        "description": call.text("description") or None,
        "coverage": float(coverage) if coverage else None,
        "pipeline_id": call.integer("pipeline_id"),
        "started_at": now if state == "running" else getattr(last, "started_at", None),
        "finished_at": now if state in ENDED else None,
    }
    if last is not None and last.status not in ENDED:
        changed = sa.update(t.commit_statuses).where(t.commit_statuses.c.id == last.id)
        call.instance.database.execute(changed.values(**values))
        number = last.id
    else:
        number = call.instance.database.insert(
            t.commit_statuses,
            project_id=project.id,
            sha=sha,
            ref=ref,
            name=name,
            author_id=call.user().user_id,
            created_at=now,
            **values,
        )
    query = sa.select(t.commit_statuses).where(t.commit_statuses.c.id == number)
    return call.json(_shape(call, call.instance.database.one(query)), 201)


async def _commit(call: Call, project: Any) -> str:
    sha = await asyncio.to_thread(content.resolve, Path(project.path), call.path["sha"])
    if sha is None:
        raise no_such("Commit")
    return sha


def _shape(call: Call, row: Any) -> shapes.Shape:
    plain = ("id", "sha", "ref", "status", "name", "target_url", "description", "coverage", "pipeline_id")
    times = ("created_at", "started_at", "finished_at")
    return (
        {key: getattr(row, key) for key in plain}
        | {key: time_text(getattr(row, key)) for key in times}
        | {"allow_failure": False, "author": shapes.user_of(call, row.author_id)}
    )


def _of_job(call: Call, project: Any, row: Any) -> shapes.Shape:
    record = shapes.job_of(row)
    pipeline = shapes.pipeline_row(call.instance, record.pipeline_id)
    assert pipeline is not None
    return {
        "id": record.id,
        "sha": pipeline.sha,
        "ref": pipeline.ref,
        "status": record.status,
        "name": record.name,
        "target_url": f"{shapes.base(call)}/{project.full_path}/-/jobs/{record.id}",
        "description": None,
        "coverage": record.coverage,
        "pipeline_id": record.pipeline_id,
        "created_at": time_text(record.created_at),
        "started_at": time_text(record.started_at),
        "finished_at": time_text(record.finished_at),
        "allow_failure": record.allow_failure,
        "author": shapes.user_of(call, pipeline.user_id),
    }


ENDPOINTS = [
    Endpoint(
        "GET",
        "/projects/{id}/repository/commits/{sha}/statuses",
        list_statuses,
        takes=f"ref stage name pipeline_id:int all:bool {PAGE}",
        gives="[CommitStatus]",
    ),
    Endpoint(
        "POST",
        "/projects/{id}/statuses/{sha}",
        create,
        takes=f"state!:{'|'.join(STATES)} name context ref target_url description coverage:num pipeline_id:int",
        gives="CommitStatus",
    ),
]
