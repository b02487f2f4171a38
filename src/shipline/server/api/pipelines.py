"""/projects/:id/pipelines: list, show, create, retry, cancel, delete."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.engine.errors import EngineError
from shipline.engine.records import PipelineVariable
from shipline.language import LanguageError
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.accounts import caller_of
from shipline.server.api import shapes
from shipline.server.creation import Order, create_pipeline
from shipline.server.http.answers import Refusal, no_record, refusal, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import paged_query
from shipline.server.http.routes import Endpoint
from shipline.server.vault import digest

STATUSES = (
    *("created", "waiting_for_resource", "preparing", "waiting_for_callback", "pending", "running", "success"),
    *("failed", "canceling", "canceled", "skipped", "manual", "scheduled"),
)
SCOPES = {
    "running": ("running",),
    "pending": ("created", "waiting_for_resource", "preparing", "pending"),
    "finished": ("success", "failed", "canceled", "skipped"),
}
ORDERS = {"id": "id", "status": "status", "ref": "ref", "updated_at": "updated_at", "user_id": "user_id"}
CREATED_A_MINUTE = 60


async def list_pipelines(call: Call) -> Response:
    project = call.project(reading(call))
    query = sa.select(t.pipelines).where(t.pipelines.c.project_id == project.id)
    scope = call.choice("scope", ("running", "pending", "finished", "branches", "tags"))
    if scope in SCOPES:
        query = query.where(t.pipelines.c.status.in_(SCOPES[scope]))
    elif scope:
        newest = sa.select(sa.func.max(t.pipelines.c.id)).where(t.pipelines.c.project_id == project.id)
        query = query.where(t.pipelines.c.id.in_(newest.group_by(t.pipelines.c.ref)))
    if status := call.choice("status", STATUSES):
        query = query.where(t.pipelines.c.status == status)
    for name in ("ref", "sha", "source"):
        if value := call.text(name):
            query = query.where(t.pipelines.c[name] == value)
    column = t.pipelines.c[ORDERS[call.choice("order_by", ORDERS, "id")]]
    descending = call.choice("sort", ("asc", "desc"), "desc") == "desc"

    def shape(row: Any) -> shapes.Shape:
        name = shapes.pipeline_of(row).name
        return shapes.pipeline_basic(call, row, project.full_path) | {"name": name}

    return paged_query(call, query, shape, [column.desc() if descending else column])


async def show_pipeline(call: Call) -> Response:
    project, row = wanted(call, reading(call))
    return call.json(shapes.pipeline(call, row, project.full_path))


async def latest_pipeline(call: Call) -> Response:
    project = call.project(reading(call))
    ref = call.text("ref") or project.default_branch
    query = sa.select(t.pipelines).where(t.pipelines.c.project_id == project.id, t.pipelines.c.ref == ref)
    row = call.instance.database.one(query.order_by(t.pipelines.c.id.desc()).limit(1))
    if row is None:
        raise refusal(403)
    return call.json(shapes.pipeline(call, row, project.full_path))


async def create(call: Call) -> Response:
    """POST pipeline (singular)."""
    project = call.project(may.DEVELOPER)
    ref = call.filled("ref")
    user = call.user()
    call.limit("create pipeline", str(user.user_id), CREATED_A_MINUTE)
    order = Order(
        project=project,
        ref=ref,
        caller=user,
        source="api",
        variables=given_variables(call.listed("variables")),
        inputs=call.mapping("inputs"),
    )
    return await created(call, order)


async def created(call: Call, order: Order) -> Response:
    """Creates the pipeline and answers with it; what is wrong with it becomes a 400."""
    try:
        record = await create_pipeline(call.instance, order)
    except LanguageError as error:
        texts = list(dict.fromkeys(finding.message for finding in error.findings))
        raise Refusal(400, {"message": {"base": [", ".join(texts)]}}) from None
    except EngineError as error:
        raise Refusal(400, {"message": {"base": [str(error)]}}) from None
    row = shapes.pipeline_row(call.instance, record.id)
    shape = shapes.pipeline(call, row, order.project.full_path)
    shape.pop("name")
    return call.json(shape, 201)


def given_variables(items: list[Any]) -> list[PipelineVariable]:
    """The variables of a call: a list of key and value."""
    variables = []
    for item in items:
        if not isinstance(item, dict) or "key" not in item:
            raise wrong_parameter("variables[key] is missing")
        if item.get("variable_type", "env_var") != "env_var":
            raise wrong_parameter("variables[variable_type] does not have a valid value: only env_var is supported")
        variables.append(PipelineVariable(str(item["key"]), str(item.get("value") or "")))
    return variables


async def list_variables(call: Call) -> Response:
    _, row = wanted(call, may.DEVELOPER)
    kept = shapes.pipeline_of(row).variables
    return call.json([{"variable_type": "env_var", "key": v.key, "value": v.value, "raw": False} for v in kept])


async def retry(call: Call) -> Response:
    project, row = wanted(call, may.DEVELOPER)
    call.instance.pipelines.retry_failed(row.id)
    return call.json(shapes.pipeline(call, shapes.pipeline_row(call.instance, row.id), project.full_path), 201)


async def cancel(call: Call) -> Response:
    project, row = wanted(call, may.DEVELOPER)
    call.instance.pipelines.cancel(row.id)
    call.instance.handout.abandon_ungraceful(row.id)
    return call.json(shapes.pipeline(call, shapes.pipeline_row(call.instance, row.id), project.full_path))


async def delete(call: Call) -> Response:
    _, row = wanted(call, may.OWNER)
    call.instance.pipelines.cancel(row.id)
    with call.instance.database.transaction():
        for job in call.instance.store.jobs(row.id, all_tries=True):
            call.instance.artifacts.delete(job.id)
            call.instance.traces.erase(job.id)
        of_pipeline = sa.select(t.jobs.c.id).where(t.jobs.c.pipeline_id == row.id)
        for table in (t.assignments, t.queue):
            call.instance.database.execute(sa.delete(table).where(table.c.job_id.in_(of_pipeline)))
        call.instance.database.execute(sa.delete(t.jobs).where(t.jobs.c.pipeline_id == row.id))
        call.instance.database.execute(sa.delete(t.pipelines).where(t.pipelines.c.id == row.id))
    call.audit("delete pipeline", str(row.id))
    return Response(status_code=204)


async def trigger(call: Call) -> Response:
    """POST trigger/pipeline: with a trigger's token, and nothing else."""
    call.required("token")
    ref = call.path.get("ref") or call.filled("ref")
    project = call.instance.projects.find(call.path["id"])
    known = sa.select(t.triggers).where(t.triggers.c.digest == digest(call.text("token")))
    found = call.instance.database.one(known)
    if project is None or found is None or found.project_id != project.id:
        call.limit("trigger", call.address or "", CREATED_A_MINUTE)
        raise refusal(404)
    given = call.mapping("variables")
    if not all(isinstance(value, str) for value in given.values()):
        raise refusal(400, "variables needs to be a map of key-valued strings")
    owner = call.instance.accounts.user(found.owner_id)
    if owner is None or owner.state != "active":
        raise refusal(404)
    used = sa.update(t.triggers).where(t.triggers.c.id == found.id)
    call.instance.database.execute(used.values(last_used=call.instance.pipelines.clock()))
    variables = [PipelineVariable(key, value) for key, value in given.items()]
    order = Order(
        project=project,
        ref=ref,
        caller=caller_of(owner),
        source="trigger",
        variables=variables,
        inputs=call.mapping("inputs"),
    )
    return await created(call, order)


def wanted(call: Call, level: int) -> tuple[Any, Any]:
    """The project and the pipeline's row that the path names."""
    project = call.project(level)
    row = shapes.pipeline_row(call.instance, call.number("pipeline_id"))
    if row is None or row.project_id != project.id:
        raise no_record()
    return project, row


def reading(call: Call) -> int:
    """The level that reading pipelines and jobs takes: none in a public project, else a reporter's."""
    project = call.project()
    return may.NO_ACCESS if project.visibility == "public" else may.REPORTER


ENDPOINTS = [
    Endpoint("GET", "/projects/{id}/pipelines", list_pipelines),
    Endpoint("GET", "/projects/{id}/pipelines/latest", latest_pipeline),
    Endpoint("POST", "/projects/{id}/pipeline", create),
    Endpoint("GET", "/projects/{id}/pipelines/{pipeline_id}", show_pipeline),
    Endpoint("DELETE", "/projects/{id}/pipelines/{pipeline_id}", delete),
    Endpoint("GET", "/projects/{id}/pipelines/{pipeline_id}/variables", list_variables),
    Endpoint("POST", "/projects/{id}/pipelines/{pipeline_id}/retry", retry),
    Endpoint("POST", "/projects/{id}/pipelines/{pipeline_id}/cancel", cancel),
    Endpoint("POST", "/projects/{id}/trigger/pipeline", trigger),
    Endpoint("POST", "/projects/{id}/ref/{ref}/trigger/pipeline", trigger),
]
