"""/projects/:id/jobs: list, show, log, play, retry, cancel, erase."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from starlette.responses import FileResponse, Response

from shipline.engine.errors import EngineError
from shipline.engine.records import PipelineVariable
from shipline.engine.states import COMPLETED
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.api.pipelines import STATUSES, reading, wanted
from shipline.server.http.answers import because, no_record, no_such, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import paged_query
from shipline.server.http.routes import Endpoint


async def list_jobs(call: Call) -> Response:
    project = call.project(reading(call))
    query = _scoped(call, sa.select(t.jobs).where(t.jobs.c.project_id == project.id))
    return paged_query(call, query, lambda row: shapes.job(call, row, project.full_path), [t.jobs.c.id.desc()])


async def list_jobs_of_pipeline(call: Call) -> Response:
    project, pipeline = wanted(call, reading(call))
    query = _scoped(call, sa.select(t.jobs).where(t.jobs.c.pipeline_id == pipeline.id))
    if not call.boolean("include_retried"):
        query = query.where(t.jobs.c.latest)
    return paged_query(call, query, lambda row: shapes.job(call, row, project.full_path), [t.jobs.c.id.desc()])


async def list_bridges(call: Call) -> Response:
    """Pipelines here have no bridges: `trigger` is refused when a pipeline is made."""
    wanted(call, reading(call))
    return call.json([])


async def show_job(call: Call) -> Response:
    project, row = wanted_job(call, reading(call))
    return call.json(shapes.job(call, row, project.full_path))


async def show_own_job(call: Call) -> Response:
    """GET job: the job whose token this is."""
    if call.caller is None or call.caller.job_id is None:
        raise no_such("Job")
    row = call.instance.database.one(sa.select(t.jobs).where(t.jobs.c.id == call.caller.job_id))
    project = call.instance.projects.by_id(call.caller.project_id or 0)
    if row is None or project is None:
        raise no_such("Job")
    return call.json(shapes.job(call, row, project.full_path))


async def trace(call: Call) -> Response:
    _, row = wanted_job(call, reading(call))
    headers = {"Content-Disposition": f'inline; filename="{row.id}.log"'}
    path = call.instance.traces.path(row.id)
    if not path.exists():
        return Response(b"", media_type="text/plain", headers=headers)
    return FileResponse(path, media_type="text/plain", headers=headers)


async def play(call: Call) -> Response:
    project, row = wanted_job(call, may.DEVELOPER)
    variables = []
    for item in call.listed("job_variables_attributes"):
        if isinstance(item, dict) and "key" in item:
            variables.append(PipelineVariable(str(item["key"]), str(item.get("value") or "")))
    try:
        job = call.instance.pipelines.play(row.pipeline_id, row.name, variables)
    except EngineError:
        raise because(400, "Unplayable Job") from None
    call.audit("play job", str(job.id))
    return _job(call, job.id, project)


async def retry(call: Call) -> Response:
    project, row = wanted_job(call, may.DEVELOPER)
    if not row.latest:
        raise because(403, "Job is not retryable")
    try:
        job = call.instance.pipelines.retry(row.pipeline_id, row.name)
    except EngineError:
        raise because(403, "Job is not retryable") from None
    call.audit("retry job", str(row.id))
    return _job(call, job.id, project, 201)


async def cancel(call: Call) -> Response:
    project, row = wanted_job(call, may.DEVELOPER)
    if row.latest and row.status not in COMPLETED:
        call.instance.pipelines.cancel(row.pipeline_id, row.name)
        call.instance.handout.abandon_ungraceful(row.pipeline_id)
        job = call.instance.store.job(row.id)
        if call.boolean("force") and job is not None and job.status == "canceling":
            call.project(may.MAINTAINER)
            call.instance.pipelines.abandon(job)
        call.audit("cancel job", str(row.id))
    return _job(call, row.id, project, 201)


async def erase(call: Call) -> Response:
    project, row = wanted_job(call, may.MAINTAINER)
    if row.status not in COMPLETED or row.erased_at is not None:
        raise because(403, "Job is not erasable!")
    call.instance.traces.erase(row.id)
    call.instance.artifacts.delete(row.id)
    erased = sa.update(t.jobs).where(t.jobs.c.id == row.id)
    call.instance.database.execute(erased.values(erased_at=time.time()))
    call.audit("erase job", str(row.id))
    return _job(call, row.id, project, 201)


def wanted_job(call: Call, level: int) -> tuple[Any, Any]:
    """The project and the job's row that the path names."""
    project = call.project(level)
    row = call.instance.database.one(sa.select(t.jobs).where(t.jobs.c.id == call.number("job_id")))
    if row is None or row.project_id != project.id:
        raise no_record()
    return project, row


def _job(call: Call, job_id: int, project: Any, status: int = 200) -> Response:
    row = call.instance.database.one(sa.select(t.jobs).where(t.jobs.c.id == job_id))
    return call.json(shapes.job(call, row, project.full_path), status)


def _scoped(call: Call, query: sa.Select[Any]) -> sa.Select[Any]:
    scopes = [str(scope) for scope in call.listed("scope")]
    if any(scope not in STATUSES for scope in scopes):
        raise wrong_parameter("scope does not have a valid value")
    return query.where(t.jobs.c.status.in_(scopes)) if scopes else query


ENDPOINTS = [
    Endpoint("GET", "/job", show_own_job),
    Endpoint("GET", "/projects/{id}/jobs", list_jobs),
    Endpoint("GET", "/projects/{id}/jobs/{job_id}", show_job),
    Endpoint("GET", "/projects/{id}/jobs/{job_id}/trace", trace),
    Endpoint("POST", "/projects/{id}/jobs/{job_id}/play", play),
    Endpoint("POST", "/projects/{id}/jobs/{job_id}/retry", retry),
    Endpoint("POST", "/projects/{id}/jobs/{job_id}/cancel", cancel),
    Endpoint("POST", "/projects/{id}/jobs/{job_id}/erase", erase),
    Endpoint("GET", "/projects/{id}/pipelines/{pipeline_id}/jobs", list_jobs_of_pipeline),
    Endpoint("GET", "/projects/{id}/pipelines/{pipeline_id}/bridges", list_bridges),
    Endpoint("GET", "/projects/{id}/pipelines/{pipeline_id}/trigger_jobs", list_bridges),
]
