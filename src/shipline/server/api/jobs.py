"""/projects/:id/jobs: list, show, log, play, retry, cancel, erase."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response, StreamingResponse

from shipline.engine.errors import EngineError
from shipline.engine.hierarchy import family
from shipline.engine.job_inputs import checked
from shipline.engine.states import COMPLETED
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.api.pipelines import STATUSES, check_ref, given_variables, reading, wanted
from shipline.server.http.answers import because, no_record, no_such, refusal, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged_query
from shipline.server.http.routes import Endpoint
from shipline.server.instance import Instance

LISTED_A_MINUTE = 600
ROLE_NAMES = ((10, "guest"), (20, "reporter"), (30, "developer"), (40, "maintainer"), (50, "owner"))


async def list_jobs(call: Call) -> Response:
    project = call.project(reading(call))
    call.limit("list jobs", str(call.caller.user_id if call.caller else call.address), LISTED_A_MINUTE)
    query = _scoped(call, sa.select(t.jobs).where(t.jobs.c.project_id == project.id, ~t.jobs.c.bridge))
    return paged_query(
        call,
        query,
        lambda row: shapes.job(call, row, project.full_path),
        [t.jobs.c.id.desc()],
        keys={"id": t.jobs.c.id},
        total=False,
    )


async def list_jobs_of_pipeline(call: Call) -> Response:
    project, pipeline = wanted(call, reading(call))
    query = _scoped(call, sa.select(t.jobs).where(t.jobs.c.pipeline_id == pipeline.id, ~t.jobs.c.bridge))
    if not call.boolean("include_retried"):
        query = query.where(t.jobs.c.latest)
    return paged_query(call, query, lambda row: shapes.job(call, row, project.full_path), [t.jobs.c.id.desc()])


async def list_bridges(call: Call) -> Response:
    """The trigger jobs of a pipeline, which are in no other list."""
    project, pipeline = wanted(call, reading(call))
    query = _scoped(call, sa.select(t.jobs).where(t.jobs.c.pipeline_id == pipeline.id, t.jobs.c.bridge))
    query = query.where(t.jobs.c.latest)
    return paged_query(call, query, lambda row: shapes.bridge(call, row, project.full_path), [t.jobs.c.id.desc()])


async def show_job(call: Call) -> Response:
    project, row = wanted_job(call, reading(call))
    if row.bridge:
        raise no_record()
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


async def allowed_agents(call: Call) -> Response:
    """GET job/allowed_agents: there are no agents here; who asks learns what the token stands for."""
    if call.caller is None or call.caller.job_id is None:
        raise no_such("Job")
    job, caller = call.instance.store.job(call.caller.job_id), call.caller
    project = call.instance.projects.by_id(caller.project_id or 0)
    if job is None or project is None:
        raise no_such("Job")
    level = call.instance.projects.level(project, caller)
    groups = [{"id": group.id} for group in call.instance.groups.lineage(project.namespace_id)]
    return call.json(
        {
            "allowed_agents": [],
            "job": {"id": job.id},
            "pipeline": {"id": job.pipeline_id},
            "project": {"id": project.id, "groups": groups},
            "user": {
                "id": caller.user_id,
                "username": caller.username,
                "roles_in_project": [name for least, name in ROLE_NAMES if level >= least],
            },
        }
    )


async def trace(call: Call) -> Response:
    _, row = wanted_job(call, reading(call))
    if is_debugged(call.instance, row.id):
        call.project(may.DEVELOPER)
    traces = call.instance.traces
    await traces.bring(row.id)
    size = traces.size(row.id)
    headers = {"Content-Disposition": f'inline; filename="{row.id}.log"', "Content-Length": str(size)}
    return StreamingResponse(traces.stream(row.id, size), media_type="text/plain", headers=headers)


async def play(call: Call) -> Response:
    project, row = wanted_job(call, may.DEVELOPER)
    _check_ref(call, project, row)
    variables = given_variables(
        [item for item in call.listed("job_variables_attributes") if isinstance(item, dict)]
    )
    if not row.latest:
        raise because(400, "Unplayable Job")
    inputs = _checked_inputs(call, row)
    try:
        job = call.instance.pipelines.play(row.pipeline_id, row.name, variables, inputs)
    except EngineError:
        raise because(400, "Unplayable Job") from None
    call.instance.downstream.in_name_of(job, call.user().user_id)
    call.audit("play job", str(job.id))
    return _job(call, job.id, project)


async def retry(call: Call) -> Response:
    project, row = wanted_job(call, may.DEVELOPER)
    _check_ref(call, project, row)
    if not row.latest:
        raise because(403, "Job is not retryable")
    try:
        job = call.instance.pipelines.retry(row.pipeline_id, row.name, inputs=_checked_inputs(call, row))
    except EngineError:
        raise because(403, "Job is not retryable") from None
    call.instance.downstream.in_name_of(job, call.user().user_id)
    call.audit("retry job", str(row.id))
    return _job(call, job.id, project, 201)


async def cancel(call: Call) -> Response:
    project, row = wanted_job(call, may.MAINTAINER if call.boolean("force") else may.DEVELOPER)
    _check_ref(call, project, row)
    if row.latest and row.status not in COMPLETED:
        call.instance.pipelines.cancel(row.pipeline_id, row.name)
        for number in family(call.instance.pipelines, row.pipeline_id):
            call.instance.handout.abandon_ungraceful(number)
        job = call.instance.store.job(row.id)
        if call.boolean("force") and job is not None and job.status == "canceling":
            call.instance.pipelines.abandon(job)
        call.audit("cancel job", str(row.id))
    return _job(call, row.id, project, 201)


async def erase(call: Call) -> Response:
    project, row = wanted_job(call, may.DEVELOPER)
    parent = shapes.pipeline_row(call.instance, row.pipeline_id)
    mine = parent is not None and parent.user_id == call.user().user_id
    if not mine and call.instance.projects.level(project, call.caller) < may.MAINTAINER:
        raise refusal(403)
    if row.status not in COMPLETED or row.erased_at is not None:
        raise because(403, "Job is not erasable!")
    call.instance.traces.erase(row.id)
    call.instance.artifacts.delete(row.id)
    call.instance.pipelines.files_gone(row.id)
    erased = sa.update(t.jobs).where(t.jobs.c.id == row.id)
    call.instance.database.execute(erased.values(erased_at=time.time()))
    call.audit("erase job", str(row.id))
    return _job(call, row.id, project, 201)


def _checked_inputs(call: Call, row: Any) -> dict[str, Any]:
    """The `job_inputs` of the call, which must be inputs of the job."""
    given = call.mapping("job_inputs")
    if given:
        live = call.instance.pipelines.live(row.pipeline_id)
        checked(live.definitions[row.name], {**live.jobs[row.name].inputs, **given})
    return given


def is_debugged(instance: Instance, job_id: int) -> bool:
    """Whether the job's log shows its variables: only developers may read it."""
    record = instance.store.job(job_id)
    return record is not None and record.debug


def wanted_job(call: Call, level: int) -> tuple[Any, Any]:
    """The project and the job's row that the path names."""
    project = call.project(level)
    row = call.instance.database.one(sa.select(t.jobs).where(t.jobs.c.id == call.number("job_id")))
    if row is None or row.project_id != project.id:
        raise no_record()
    return project, row


def _check_ref(call: Call, project: Any, row: Any) -> None:
    pipeline = shapes.pipeline_row(call.instance, row.pipeline_id)
    if pipeline is not None:
        check_ref(call, project, pipeline)


def _job(call: Call, job_id: int, project: Any, status: int = 200) -> Response:
    row = call.instance.database.one(sa.select(t.jobs).where(t.jobs.c.id == job_id))
    shape = shapes.bridge if row is not None and row.bridge else shapes.job
    return call.json(shape(call, row, project.full_path), status)


def _scoped(call: Call, query: sa.Select[Any]) -> sa.Select[Any]:
    scopes = [str(scope) for scope in call.listed("scope")]
    if any(scope not in STATUSES for scope in scopes):
        raise wrong_parameter("scope does not have a valid value")
    return query.where(t.jobs.c.status.in_(scopes)) if scopes else query


_SCOPED = f"scope:list {PAGE}"
_ONE = "/projects/{id}/jobs/{job_id}"
_PIPELINE = "/projects/{id}/pipelines/{pipeline_id}"
ENDPOINTS = [
    Endpoint("GET", "/job", show_own_job, gives="Job"),
    Endpoint("GET", "/job/allowed_agents", allowed_agents, gives="AllowedAgents"),
    Endpoint(
        "GET",
        "/projects/{id}/jobs",
        list_jobs,
        takes=f"{_SCOPED} pagination:keyset|legacy order_by:id sort:asc|desc cursor",
        gives="[Job]",
    ),
    Endpoint("GET", _ONE, show_job, gives="Job"),
    Endpoint("GET", _ONE + "/trace", trace, gives="text"),
    Endpoint("POST", _ONE + "/play", play, takes="job_variables_attributes:[any]", gives="Job", status=200),
    Endpoint("POST", _ONE + "/retry", retry, gives="Job"),
    Endpoint("POST", _ONE + "/cancel", cancel, takes="force:bool", gives="Job"),
    Endpoint("POST", _ONE + "/erase", erase, gives="Job"),
    Endpoint(
        "GET", _PIPELINE + "/jobs", list_jobs_of_pipeline, takes=f"include_retried:bool {_SCOPED}", gives="[Job]"
    ),
    Endpoint("GET", _PIPELINE + "/bridges", list_bridges, takes=_SCOPED, gives="[Bridge]"),
    Endpoint("GET", _PIPELINE + "/trigger_jobs", list_bridges, takes=_SCOPED, gives="[Bridge]"),
]
