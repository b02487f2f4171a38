"""/projects/:id/pipelines: list, show, create, retry, cancel, delete."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.engine.errors import EngineError
from shipline.engine.hierarchy import family
from shipline.engine.records import PipelineVariable
from shipline.language import LanguageError
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.accounts import caller_of
from shipline.server.api import shapes
from shipline.server.creation import Order, create_pipeline
from shipline.server.http.answers import Refusal, because, no_record, refusal, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, ordered, paged_query
from shipline.server.http.routes import Endpoint
from shipline.server.permissions import visible_to_all
from shipline.server.project_settings import settings_of
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
ORDERS = {name: t.pipelines.c[name] for name in ("id", "status", "ref", "updated_at", "user_id")}
KINDS = ("env_var", "file")
TRIGGERED_A_MINUTE = 60
LONGEST_NAME = 255


async def list_pipelines(call: Call) -> Response:
    project = call.project(reading(call))
    query = sa.select(t.pipelines).where(t.pipelines.c.project_id == project.id)
    scope, source = call.text("scope"), call.text("source")
    if scope in SCOPES:
        query = query.where(t.pipelines.c.status.in_(SCOPES[scope]))
    elif scope:
        newest = sa.select(sa.func.max(t.pipelines.c.id)).where(t.pipelines.c.project_id == project.id)
        query = query.where(t.pipelines.c.id.in_(newest.group_by(t.pipelines.c.ref)))
    if source != "parent_pipeline":
        query = query.where(t.pipelines.c.source != "parent_pipeline")
    for name in ("status", "ref", "sha", "source"):
        if value := call.text(name):
            query = query.where(t.pipelines.c[name] == value)
    if username := call.text("username"):
        user = call.instance.accounts.by_name(username)
        query = query.where(t.pipelines.c.user_id == (user.id if user is not None else -1))
    for name, least in (("updated_after", True), ("updated_before", False)):
        if (moment := call.moment(name)) is not None:
            column = t.pipelines.c.updated_at
            query = query.where(column >= moment if least else column <= moment)
    if call.boolean("yaml_errors"):
        has_jobs = sa.exists().where(t.jobs.c.pipeline_id == t.pipelines.c.id)
        query = query.where(t.pipelines.c.status == "failed", ~has_jobs)

    def shape(row: Any) -> shapes.Shape:
        name = shapes.pipeline_of(row).name
        return shapes.pipeline_basic(call, row, project.full_path) | {"name": name}

    return paged_query(call, query, shape, ordered(call, ORDERS, t.pipelines.c.id, "id"))


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
    variables = given_variables(call.listed("variables"))
    call.limit("create pipeline", str(user.user_id), call.instance.settings.pipelines_a_minute)
    order = Order(
        project=project, ref=ref, caller=user, source="api", variables=variables, inputs=call.mapping("inputs")
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
    """The variables of a call: a list of key, value and type."""
    variables = []
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("key"), str) or not item["key"]:
            raise wrong_parameter("variables[key] is missing")
        kind = item.get("variable_type") or "env_var"
        if kind not in KINDS:
            raise wrong_parameter("variables[variable_type] does not have a valid value")
        variables.append(PipelineVariable(item["key"], _as_text(item.get("value")), kind == "file"))
    return variables


def _as_text(value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise wrong_parameter("variables[value] is invalid")
    return "" if value is None else str(value)


async def list_variables(call: Call) -> Response:
    _, row = wanted(call, may.DEVELOPER)
    record = call.instance.store.pipeline(row.id)
    kept = record.variables if record is not None else []
    return call.json(
        [
            {"variable_type": "file" if v.file else "env_var", "key": v.key, "value": v.value, "raw": v.raw}
            for v in kept
        ]
    )


async def retry(call: Call) -> Response:
    project, row = wanted(call, may.DEVELOPER)
    check_ref(call, project, row)
    call.instance.pipelines.retry_failed(row.id)
    return call.json(shapes.pipeline(call, shapes.pipeline_row(call.instance, row.id), project.full_path), 201)


async def rename(call: Call) -> Response:
    """PUT metadata: the pipeline's name."""
    project, row = wanted(call, may.DEVELOPER)
    name = call.filled("name")
    if len(name) > LONGEST_NAME:
        raise because(400, f"Failed to update pipeline - Name is too long (maximum is {LONGEST_NAME} characters)")
    call.instance.pipelines.rename(row.id, name)
    return call.json(shapes.pipeline(call, shapes.pipeline_row(call.instance, row.id), project.full_path))


async def cancel(call: Call) -> Response:
    project, row = wanted(call, may.DEVELOPER)
    check_ref(call, project, row)
    call.instance.pipelines.cancel(row.id)
    for number in family(call.instance.pipelines, row.id):
        call.instance.handout.abandon_ungraceful(number)
    return call.json(shapes.pipeline(call, shapes.pipeline_row(call.instance, row.id), project.full_path))


async def delete(call: Call) -> Response:
    _, row = wanted(call, may.OWNER)
    call.instance.delete_pipeline(row.id)
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
        call.limit("trigger", call.address or "", TRIGGERED_A_MINUTE)
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


def check_ref(call: Call, project: Any, row: Any) -> None:
    """403 where the pipeline's ref is protected from the caller: who may not push there may not run there."""
    record = shapes.pipeline_of(row)
    kind = "tag" if record.commit.is_tag else "branch"
    if not call.instance.projects.may_run(project, call.caller, kind, record.commit.ref):
        raise refusal(403)


def reading(call: Call) -> int:
    """The level that reading pipelines and jobs takes: where they are open to all, being able to see the project
    is enough; else a reporter's."""
    project = call.project()
    if not settings_of(project).public_jobs:
        return may.REPORTER
    return may.NO_ACCESS if visible_to_all(project, call.caller) else may.GUEST


_LISTED = (
    f"scope:running|pending|finished|branches|tags status:{'|'.join(STATUSES)} source ref sha name username "
    "yaml_errors:bool updated_after:ts updated_before:ts created_after:ts created_before:ts "
    f"order_by:{'|'.join(ORDERS)} sort:asc|desc {PAGE}"
)
_ONE = "/projects/{id}/pipelines/{pipeline_id}"
_TRIGGERED = "token! variables:hash inputs:hash"
ENDPOINTS = [
    Endpoint("GET", "/projects/{id}/pipelines", list_pipelines, takes=_LISTED, gives="[PipelineBasic]"),
    Endpoint("GET", "/projects/{id}/pipelines/latest", latest_pipeline, takes="ref", gives="Pipeline"),
    Endpoint("POST", "/projects/{id}/pipeline", create, takes="ref! variables:[any] inputs:hash", gives="Pipeline"),
    Endpoint("GET", _ONE, show_pipeline, gives="Pipeline"),
    Endpoint("DELETE", _ONE, delete, gives="-"),
    Endpoint("GET", _ONE + "/variables", list_variables, gives="[Variable]"),
    Endpoint("POST", _ONE + "/retry", retry, gives="Pipeline"),
    Endpoint("POST", _ONE + "/cancel", cancel, gives="Pipeline", status=200),
    Endpoint("PUT", _ONE + "/metadata", rename, takes="name!", gives="Pipeline"),
    Endpoint("POST", "/projects/{id}/trigger/pipeline", trigger, takes=f"ref! {_TRIGGERED}", gives="Pipeline"),
    Endpoint("POST", "/projects/{id}/ref/{ref}/trigger/pipeline", trigger, takes=_TRIGGERED, gives="Pipeline"),
]
