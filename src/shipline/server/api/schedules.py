"""/projects/:id/pipeline_schedules, and their variables."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.http.answers import Refusal, no_such, refusal, time_text
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged_query
from shipline.server.http.routes import Endpoint
from shipline.server.schedules import ScheduleVariable, next_run, read_variables, run, seal_variables

KINDS = ("env_var", "file")


async def list_schedules(call: Call) -> Response:
    project = call.project(may.REPORTER)
    query = sa.select(t.schedules).where(t.schedules.c.project_id == project.id)
    if scope := call.choice("scope", ("active", "inactive")):
        query = query.where(t.schedules.c.active == (scope == "active"))
    return paged_query(call, query, lambda row: _shape(call, row), [t.schedules.c.id.desc()])


async def show(call: Call) -> Response:
    return _details(call, _wanted(call, may.REPORTER))


async def create(call: Call) -> Response:
    project = call.project(may.DEVELOPER)
    call.required("description", "ref", "cron")
    ref, cron, zone = call.filled("ref"), call.text("cron"), call.text("cron_timezone") or "UTC"
    _check_ref(call, project, ref)
    now = time.time()
    number = call.instance.database.insert(
        t.schedules,
        project_id=project.id,
        description=call.text("description"),
        ref=ref,
        cron=cron,
        cron_timezone=zone,
        active=call.boolean("active", True),
        owner_id=call.user().user_id,
        next_run_at=_next(cron, zone),
        variables=seal_variables(call.instance, project.id, []),
        created_at=now,
        updated_at=now,
    )
    call.audit("create schedule", str(number))
    return _details(call, _row(call, number), 201)


async def change(call: Call) -> Response:
    row = _wanted(call, may.DEVELOPER)
    _own(call, row)
    values: dict[str, Any] = {
        name: call.text(name, getattr(row, name)) for name in ("description", "ref", "cron", "cron_timezone")
    }
    if call.given("ref"):
        _check_ref(call, call.project(may.DEVELOPER), call.filled("ref"))
    values["active"] = call.boolean("active", row.active)
    values["next_run_at"] = _next(values["cron"], values["cron_timezone"])
    return _details(call, _change(call, row, **values))


async def delete(call: Call) -> Response:
    row = _wanted(call, may.DEVELOPER)
    _own(call, row)
    call.instance.database.execute(sa.delete(t.schedules).where(t.schedules.c.id == row.id))
    call.audit("delete schedule", str(row.id))
    return Response(status_code=204)


async def take_ownership(call: Call) -> Response:
    row = _wanted(call, may.MAINTAINER)
    mine = row.owner_id == call.user().user_id
    return _details(call, _change(call, row, owner_id=call.user().user_id), 200 if mine else 201)


async def play(call: Call) -> Response:
    row = _wanted(call, may.DEVELOPER)
    _check_ref(call, call.project(may.DEVELOPER), row.ref)
    call.limit("play schedule", str(row.id), 10)
    await run(call.instance, row)
    return call.json({"message": "201 Created"}, 201)


async def list_pipelines(call: Call) -> Response:
    row = _wanted(call, may.REPORTER)
    project = call.project(may.REPORTER)
    query = sa.select(t.pipelines).where(t.pipelines.c.schedule_id == row.id)
    return paged_query(
        call, query, lambda found: shapes.pipeline_basic(call, found, project.full_path), [t.pipelines.c.id]
    )


async def create_variable(call: Call) -> Response:
    row = _wanted(call, may.DEVELOPER)
    _own(call, row)
    call.required("key", "value")
    known = read_variables(call.instance, row)
    if any(variable.key == call.text("key") for variable in known):
        raise Refusal(400, {"message": {"key": ["has already been taken"]}})
    kind = call.choice("variable_type", KINDS, "env_var")
    made = ScheduleVariable(call.text("key"), call.text("value"), kind)
    _change(call, row, variables=seal_variables(call.instance, row.project_id, [*known, made]))
    return call.json(_variable(made), 201)


async def show_variable(call: Call) -> Response:
    return call.json(_variable(_one_variable(call, _wanted(call, may.DEVELOPER))))


async def change_variable(call: Call) -> Response:
    row = _wanted(call, may.DEVELOPER)
    _own(call, row)
    old = _one_variable(call, row)
    kind = call.choice("variable_type", KINDS, old.variable_type)
    new = ScheduleVariable(old.key, call.text("value", old.value), kind)
    rest = [new if item.key == old.key else item for item in read_variables(call.instance, row)]
    _change(call, row, variables=seal_variables(call.instance, row.project_id, rest))
    return call.json(_variable(new))


async def delete_variable(call: Call) -> Response:
    row = _wanted(call, may.DEVELOPER)
    _own(call, row)
    old = _one_variable(call, row)
    rest = [item for item in read_variables(call.instance, row) if item.key != old.key]
    _change(call, row, variables=seal_variables(call.instance, row.project_id, rest))
    return call.json(_variable(old), 202)


def _one_variable(call: Call, row: Any) -> ScheduleVariable:
    for variable in read_variables(call.instance, row):
        if variable.key == call.path["key"]:
            return variable
    raise no_such("Pipeline Schedule Variable")


def _check_ref(call: Call, project: Any, ref: str) -> None:
    """403 for a ref on which the caller may not run pipelines."""
    kind = "tag" if ref.startswith("refs/tags/") else "branch"
    name = ref.removeprefix("refs/tags/").removeprefix("refs/heads/")
    if not call.instance.projects.may_run(project, call.caller, kind, name):
        raise refusal(403)


def _next(cron: str, zone: str) -> float:
    try:
        return next_run(cron, zone)
    except ValueError:
        raise Refusal(400, {"message": {"cron": ["is invalid syntax"]}}) from None


def _change(call: Call, row: Any, **values: Any) -> Any:
    changed = sa.update(t.schedules).where(t.schedules.c.id == row.id)
    call.instance.database.execute(changed.values(updated_at=time.time(), **values))
    return _row(call, row.id)


def _row(call: Call, number: int) -> Any:
    return call.instance.database.one(sa.select(t.schedules).where(t.schedules.c.id == number))


def _wanted(call: Call, level: int) -> Any:
    project = call.project(level)
    row = _row(call, call.number("schedule"))
    if row is None or row.project_id != project.id:
        raise no_such("Pipeline Schedule")
    return row


def _own(call: Call, row: Any) -> None:
    """Only its owner changes a schedule: its pipelines run in that user's name."""
    if row.owner_id != call.user().user_id:
        raise refusal(403)


def _shape(call: Call, row: Any) -> shapes.Shape:
    return {
        "id": row.id,
        "description": row.description,
        "ref": row.ref,
        "cron": row.cron,
        "cron_timezone": row.cron_timezone,
        "next_run_at": time_text(row.next_run_at),
        "active": row.active,
        "created_at": time_text(row.created_at),
        "updated_at": time_text(row.updated_at),
        "owner": shapes.user_of(call, row.owner_id),
    }


def _details(call: Call, row: Any, status: int = 200) -> Response:
    last = shapes.pipeline_row(call.instance, row.last_pipeline_id) if row.last_pipeline_id else None
    project = call.project()
    more = {
        "last_pipeline": shapes.pipeline_basic(call, last, project.full_path) if last is not None else None,
        "variables": [_variable(variable) for variable in read_variables(call.instance, row)],
    }
    return call.json(_shape(call, row) | more, status)


def _variable(variable: ScheduleVariable) -> shapes.Shape:
    return {
        "variable_type": variable.variable_type,
        "key": variable.key,
        "value": variable.value,
        "raw": False,
    }


_ALL = "/projects/{id}/pipeline_schedules"
_ONE = _ALL + "/{schedule}"
_VARIABLE = "/variables/{key}"
_CHANGED = "cron_timezone active:bool"
ENDPOINTS = [
    Endpoint("GET", _ALL, list_schedules, takes=f"scope:active|inactive {PAGE}", gives="[Schedule]"),
    Endpoint("POST", _ALL, create, takes=f"description! ref! cron! {_CHANGED}", gives="ScheduleDetails"),
    Endpoint("GET", _ONE, show, gives="ScheduleDetails"),
    Endpoint("PUT", _ONE, change, takes=f"description ref cron {_CHANGED}", gives="ScheduleDetails"),
    Endpoint("DELETE", _ONE, delete, gives="-"),
    Endpoint("POST", _ONE + "/take_ownership", take_ownership, gives="ScheduleDetails"),
    Endpoint("POST", _ONE + "/play", play, gives="Message"),
    Endpoint("GET", _ONE + "/pipelines", list_pipelines, takes=PAGE, gives="[PipelineBasic]"),
    Endpoint(
        "POST",
        _ONE + "/variables",
        create_variable,
        takes="key! value! variable_type:env_var|file",
        gives="Variable",
    ),
    Endpoint("GET", _ONE + _VARIABLE, show_variable, gives="Variable"),
    Endpoint("PUT", _ONE + _VARIABLE, change_variable, takes="value variable_type:env_var|file", gives="Variable"),
    Endpoint("DELETE", _ONE + _VARIABLE, delete_variable, gives="Variable", status=202),
]
