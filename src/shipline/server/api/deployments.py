"""Environments and deployments of a project, as its jobs have made them."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.responses import Response

from shipline.engine.errors import EngineError
from shipline.engine.records import Deployment
from shipline.language.predefined import environment_slug
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.http.answers import because, no_record, time_text, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import paged_query
from shipline.server.http.routes import Endpoint

STATES = ("available", "stopping", "stopped")
ORDERS = {"id": t.deployments.c.id, "updated_at": t.deployments.c.updated_at}
SHORTEST_SEARCH = 3


async def list_environments(call: Call) -> Response:
    project = call.project(may.REPORTER)
    if call.given("name") and call.given("search"):
        raise wrong_parameter("name, search cannot be used together")
    query = sa.select(t.environments).where(t.environments.c.project_id == project.id)
    if name := call.text("name"):
        query = query.where(t.environments.c.name == name)
    if search := call.text("search"):
        if len(search) < SHORTEST_SEARCH:
            raise because(400, "Search query is less than 3 characters")
        query = query.where(sa.func.lower(t.environments.c.name).contains(search.lower(), autoescape=True))
    if state := call.choice("states", STATES):
        query = query.where(t.environments.c.state == state)

    def shape(row: Any) -> shapes.Shape:
        return _environment(row) | {"project": shapes.project_id(call, project)}

    return paged_query(call, query, shape, [t.environments.c.name])


async def show_environment(call: Call) -> Response:
    project, row = _wanted(call, may.REPORTER)
    query = sa.select(t.deployments).where(
        t.deployments.c.project_id == project.id, t.deployments.c.environment == row.name
    )
    last = call.instance.database.one(query.order_by(t.deployments.c.job_id.desc()).limit(1))
    deployed = _deployment(call, project, last) if last is not None else None
    return call.json(_environment(row) | {"last_deployment": deployed})


async def stop(call: Call) -> Response:
    """Starts the job that stops the environment, where one waits for that; else it is stopped at once."""
    project, row = _wanted(call, may.DEVELOPER)
    state = "stopped"
    if not call.boolean("force") and _started_on_stop(call, project.id, row.name):
        state = "stopping"
    changed = sa.update(t.environments).where(t.environments.c.id == row.id)
    call.instance.database.execute(changed.values(state=state, updated_at=time.time()))
    call.audit("stop environment", f"{project.full_path}: {row.name}")
    return call.json(_environment(_wanted(call, may.DEVELOPER)[1]))


async def delete(call: Call) -> Response:
    _, row = _wanted(call, may.DEVELOPER)
    if row.state != "stopped":
        raise because(403, "Environment is not stopped")
    call.instance.database.execute(sa.delete(t.environments).where(t.environments.c.id == row.id))
    return Response(status_code=204)


async def list_deployments(call: Call) -> Response:
    project = call.project(may.REPORTER)
    query = sa.select(t.deployments).where(t.deployments.c.project_id == project.id)
    if name := call.text("environment"):
        query = query.where(t.deployments.c.environment == name)
    column = ORDERS[call.choice("order_by", ORDERS, "id")]
    descending = call.choice("sort", ("asc", "desc"), "asc") == "desc"
    order = [column.desc() if descending else column]
    return paged_query(call, query, lambda row: _deployment(call, project, row), order)


async def show_deployment(call: Call) -> Response:
    project = call.project(may.REPORTER)
    query = sa.select(t.deployments).where(t.deployments.c.id == call.number("deployment_id"))
    row = call.instance.database.one(query)
    if row is None or row.project_id != project.id:
        raise no_record()
    return call.json(_deployment(call, project, row))


def _started_on_stop(call: Call, project_id: int, name: str) -> bool:
    """Starts the `on_stop` job of the newest deployment that succeeded; False when there is none to start."""
    for deployment in call.instance.store.deployments(project_id, name):
        if deployment.status != "success" or deployment.action != "start":
            continue
        job = call.instance.store.job(deployment.job_id)
        live = call.instance.pipelines.live(deployment.pipeline_id)
        wanted = live.definitions[job.name].environment.get("on_stop") if job is not None else None
        if not wanted:
            return False
        try:
            call.instance.pipelines.play(deployment.pipeline_id, str(wanted))
        except EngineError:
            return False
        return True
    return False


def _wanted(call: Call, level: int) -> tuple[Any, Any]:
    project = call.project(level)
    query = sa.select(t.environments).where(t.environments.c.id == call.number("environment_id"))
    row = call.instance.database.one(query)
    if row is None or row.project_id != project.id:
        raise no_record()
    return project, row


def _environment(row: Any) -> shapes.Shape:
    return {
        "id": row.id,
        "name": row.name,
        "slug": environment_slug(row.name),
        "external_url": row.external_url,
        "created_at": time_text(row.created_at),
        "updated_at": time_text(row.updated_at),
        "tier": row.tier,
        "state": row.state,
        "auto_stop_at": None,
        "description": row.description,
        "auto_stop_setting": "always",
    }


def _deployment(call: Call, project: Any, row: Any) -> shapes.Shape:
    record = msgspec.json.decode(row.record, type=Deployment)
    job = call.instance.database.one(sa.select(t.jobs).where(t.jobs.c.id == record.job_id))
    named = (t.environments.c.project_id == project.id) & (t.environments.c.name == record.environment)
    environment = call.instance.database.one(sa.select(t.environments).where(named))
    keys = ("id", "name", "slug", "external_url", "created_at", "updated_at")
    pipeline = shapes.pipeline_row(call.instance, record.pipeline_id)
    return {
        "id": row.id,
        "iid": row.id,
        "ref": record.ref,
        "sha": record.sha,
        "created_at": time_text(record.created_at),
        "updated_at": time_text(row.updated_at),
        "user": shapes.user_of(call, pipeline.user_id if pipeline is not None else None),
        "environment": {key: _environment(environment)[key] for key in keys} if environment is not None else None,
        "deployable": shapes.job(call, job, project.full_path) if job is not None else None,
        "status": record.status,
    }


_ONE = "/projects/{id}/environments/{environment_id}"
ENDPOINTS = [
    Endpoint("GET", "/projects/{id}/environments", list_environments),
    Endpoint("GET", _ONE, show_environment),
    Endpoint("POST", _ONE + "/stop", stop),
    Endpoint("DELETE", _ONE, delete),
    Endpoint("GET", "/projects/{id}/deployments", list_deployments),
    Endpoint("GET", "/projects/{id}/deployments/{deployment_id}", show_deployment),
]
