"""Runners as people see them: make, list, change, pause, delete."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.http.answers import Refusal, because, no_such, refusal, time_text, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import paged, paged_query
from shipline.server.http.routes import Endpoint
from shipline.server.runner_api.registration import ACCESS_LEVELS, NO_TAGS, SHORTEST_TIMEOUT, settings_of
from shipline.server.runners import CREATED_PREFIX, INSTANCE, PROJECT, status_of, tags_of

TYPES = (INSTANCE, "group_type", PROJECT)


async def create(call: Call) -> Response:
    """POST user/runners: the token is shown in this answer alone."""
    user = call.user()
    call.required("runner_type")
    kind = call.choice("runner_type", TYPES)
    projects: list[int] = []
    if kind == INSTANCE:
        if not user.admin:
            raise because(403, "Insufficient permissions")
    elif kind == PROJECT:
        call.required("project_id")
        project = call.instance.projects.by_id(call.integer("project_id") or 0)
        if project is None or call.instance.projects.level(project, user) < may.MAINTAINER:
            raise because(403, "Insufficient permissions")
        projects = [project.id]
    else:
        raise wrong_parameter("runner_type does not have a valid value: groups have no runners of their own here")
    number, token = call.instance.runners.create(
        kind=kind, projects=projects, creator_id=user.user_id, prefix=CREATED_PREFIX, **settings_of(call)
    )
    call.audit("create runner", str(number))
    return call.json({"id": number, "token": token, "token_expires_at": None}, 201)


async def list_own(call: Call) -> Response:
    """GET runners: those of the caller's projects."""
    user = call.user()
    query = sa.select(t.runners)
    if not user.admin:
        own = sa.select(t.projects.c.id).where(call.instance.projects.readable(user))
        serving = sa.select(t.runner_projects.c.runner_id).where(t.runner_projects.c.project_id.in_(own))
        query = query.where((t.runners.c.kind == INSTANCE) | t.runners.c.id.in_(serving))
    return _page(call, query)


async def list_all(call: Call) -> Response:
    call.administrator()
    return _page(call, sa.select(t.runners))


async def list_of_project(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    serving = sa.select(t.runner_projects.c.runner_id).where(t.runner_projects.c.project_id == project.id)
    return _page(call, sa.select(t.runners).where((t.runners.c.kind == INSTANCE) | t.runners.c.id.in_(serving)))


async def show(call: Call) -> Response:
    return call.json(_details(call, _wanted(call, changing=False)))


async def change(call: Call) -> Response:
    runner = _wanted(call)
    if call.given("active") and call.given("paused"):
        raise wrong_parameter("active, paused are mutually exclusive")
    values: dict[str, Any] = {}
    for text in ("description", "maintenance_note"):
        if call.given(text):
            values[text] = call.text(text)
    for flag in ("paused", "run_untagged", "locked"):
        if call.given(flag):
            values[flag] = call.boolean(flag)
    if call.given("active"):
        values["paused"] = not call.boolean("active")
    if call.given("tag_list"):
        values["tags"] = json.dumps(sorted({str(tag) for tag in call.listed("tag_list")}))
    if call.given("access_level"):
        values["access_level"] = call.choice("access_level", ACCESS_LEVELS)
    if "maximum_timeout" in call.values:
        timeout = call.integer("maximum_timeout")
        if timeout is not None and timeout < SHORTEST_TIMEOUT:
            raise Refusal(400, {"message": {"maximum_timeout": ["needs to be at least 10 minutes"]}})
        values["maximum_timeout"] = timeout
    if not values.get("run_untagged", runner.run_untagged) and values.get("tags", runner.tags) == "[]":
        raise Refusal(400, {"message": {"tags_list": [NO_TAGS]}})
    if values:
        call.instance.runners.update(runner.id, **values)
        call.audit("change runner", str(runner.id))
    return call.json(_details(call, call.instance.runners.by_id(runner.id)))


async def delete(call: Call) -> Response:
    runner = _wanted(call)
    call.instance.runners.delete(runner.id)
    call.audit("delete runner", str(runner.id))
    return Response(status_code=204)


async def reset_token(call: Call) -> Response:
    runner = _wanted(call)
    call.audit("reset runner token", str(runner.id))
    return call.json({"token": call.instance.runners.renew(runner.id), "token_expires_at": None}, 201)


async def list_jobs(call: Call) -> Response:
    runner = _wanted(call)
    query = (
        sa.select(t.jobs)
        .join(t.assignments, t.assignments.c.job_id == t.jobs.c.id)
        .where(t.assignments.c.runner_id == runner.id)
    )
    if status := call.text("status"):
        query = query.where(t.jobs.c.status == status)

    def shape(row: Any) -> shapes.Shape:
        project = call.instance.projects.by_id(row.project_id)
        assert project is not None
        return shapes.job(call, row, project.full_path) | {"project": shapes.project_id(call, project)}

    return paged_query(call, query, shape, [t.jobs.c.id.desc()])


async def list_managers(call: Call) -> Response:
    runner = _wanted(call)
    return paged(call, call.instance.runners.managers(runner.id), _manager)


async def enable(call: Call) -> Response:
    """POST projects/:id/runners: a project runner serves one more project."""
    project = call.project(may.MAINTAINER)
    call.required("runner_id")
    runner = call.instance.runners.by_id(call.integer("runner_id") or 0)
    if runner is None or not _may_change(call, runner):
        raise no_such("Runner")
    if runner.locked:
        raise because(403, "Runner is locked")
    if runner.kind != PROJECT:
        raise because(403, "No access granted")
    if project.id not in call.instance.runners.projects(runner.id):
        values = {"runner_id": runner.id, "project_id": project.id}
        call.instance.database.execute(sa.insert(t.runner_projects).values(**values))
        call.instance.store.tick()
    return call.json(shapes.runner_shape(runner), 201)


async def disable(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    number = call.number("runner_id")
    serving = (t.runner_projects.c.runner_id == number) & (t.runner_projects.c.project_id == project.id)
    if len(call.instance.runners.projects(number)) == 1:
        raise refusal(403, "You cannot unassign a runner from the owner project. Delete the runner instead")
    if not call.instance.database.execute(sa.delete(t.runner_projects).where(serving)).rowcount:
        raise no_such("Runner")
    return Response(status_code=204)


def _page(call: Call, query: sa.Select[Any]) -> Response:
    if kind := call.choice("type", TYPES):
        query = query.where(t.runners.c.kind == kind)
    if call.given("paused"):
        query = query.where(t.runners.c.paused == call.boolean("paused"))
    rows = call.instance.database.all(query.order_by(t.runners.c.id))
    if status := call.text("status"):
        rows = [row for row in rows if status_of(row) == status]
    if tags := {str(tag) for tag in call.listed("tag_list")}:
        rows = [row for row in rows if tags.issubset(tags_of(row))]
    return paged(call, rows, shapes.runner_shape)


def _wanted(call: Call, *, changing: bool = True) -> Any:
    call.user()
    runner = call.instance.runners.by_id(call.number("runner"))
    if runner is None:
        raise no_such("Runner")
    if not _may_change(call, runner) and (changing or runner.kind != INSTANCE):
        raise because(403, "No access granted")
    return runner


def _may_change(call: Call, runner: Any) -> bool:
    if call.user().admin:
        return True
    serving = [call.instance.projects.by_id(number) for number in call.instance.runners.projects(runner.id)]
    levels = [call.instance.projects.level(project, call.caller) for project in serving if project is not None]
    return runner.kind == PROJECT and max(levels, default=0) >= may.MAINTAINER


def _details(call: Call, runner: Any) -> shapes.Shape:
    managers = call.instance.runners.managers(runner.id)
    last = managers[0] if managers else None
    projects = [call.instance.projects.by_id(number) for number in call.instance.runners.projects(runner.id)]
    told = {key: getattr(last, key, None) for key in ("version", "revision", "platform", "architecture")}
    return shapes.runner_shape(runner) | {
        "tag_list": tags_of(runner),
        "run_untagged": runner.run_untagged,
        "locked": runner.locked,
        "maximum_timeout": runner.maximum_timeout,
        "access_level": runner.access_level,
        **told,
        "contacted_at": time_text(runner.contacted_at),
        "maintenance_note": runner.maintenance_note,
        "projects": [shapes.project_id(call, project) for project in projects if project is not None],
        "groups": [],
    }


def _manager(row: Any) -> shapes.Shape:
    told = ("id", "system_id", "version", "revision", "platform", "architecture")
    return {key: getattr(row, key) for key in told} | {
        "created_at": time_text(row.created_at),
        "contacted_at": time_text(row.contacted_at),
        "ip_address": row.address,
        "status": status_of(row),
        "job_execution_status": "idle",
    }


ENDPOINTS = [
    Endpoint("POST", "/user/runners", create),
    Endpoint("GET", "/runners", list_own),
    Endpoint("GET", "/runners/all", list_all),
    Endpoint("GET", "/runners/{runner}", show),
    Endpoint("PUT", "/runners/{runner}", change),
    Endpoint("DELETE", "/runners/{runner}", delete),
    Endpoint("GET", "/runners/{runner}/jobs", list_jobs),
    Endpoint("GET", "/runners/{runner}/managers", list_managers),
    Endpoint("POST", "/runners/{runner}/reset_authentication_token", reset_token),
    Endpoint("GET", "/projects/{id}/runners", list_of_project),
    Endpoint("POST", "/projects/{id}/runners", enable),
    Endpoint("DELETE", "/projects/{id}/runners/{runner_id}", disable),
]
