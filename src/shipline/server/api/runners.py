"""Runners as people see them: make, list, change, pause, delete."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.api.groups import wanted_group
from shipline.server.http.answers import Refusal, because, no_such, refusal, time_text, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged, paged_query
from shipline.server.http.routes import Endpoint
from shipline.server.runner_api.registration import ACCESS_LEVELS, NO_TAGS, SHORTEST_TIMEOUT, settings_of
from shipline.server.runners import CREATED_PREFIX, GROUP, INSTANCE, PROJECT, status_of, tags_of

TYPES = (INSTANCE, GROUP, PROJECT)


async def create(call: Call) -> Response:
    """POST user/runners: the token is shown in this answer alone."""
    user = call.user()
    call.required("runner_type")
    kind = call.choice("runner_type", TYPES)
    projects: list[int] = []
    group: Any | None = None
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
        call.required("group_id")
        group = call.instance.groups.find(str(call.integer("group_id")))
        if group is None or call.instance.groups.level(group.id, user) < may.OWNER:
            raise because(403, "Insufficient permissions")
    number, token = call.instance.runners.create(
        kind=kind,
        projects=projects,
        group=group.id if group is not None else None,
        creator_id=user.user_id,
        prefix=CREATED_PREFIX,
        **settings_of(call),
    )
    call.audit("create runner", str(number))
    return call.json({"id": number, "token": token, "token_expires_at": None}, 201)


async def list_own(call: Call) -> Response:
    """GET runners: those of the projects that the caller maintains, and of groups that are theirs."""
    user = call.user()
    query = sa.select(t.runners)
    if not user.admin:
        own = sa.select(t.projects).where(call.instance.projects.joined(user))
        managed = [
            project.id
            for project in call.instance.database.all(own)
            if call.instance.projects.level(project, user) >= may.MAINTAINER
        ]
        serving = sa.select(t.runner_projects.c.runner_id).where(t.runner_projects.c.project_id.in_(managed))
        home = call.instance.groups.of_member(user.user_id)
        groups = [number for number in home if call.instance.groups.level(number, user) >= may.OWNER]
        query = query.where(t.runners.c.id.in_(serving) | _of_groups(groups))
    return _page(call, query)


async def list_all(call: Call) -> Response:
    call.administrator()
    return _page(call, sa.select(t.runners))


async def list_of_project(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    serving = sa.select(t.runner_projects.c.runner_id).where(t.runner_projects.c.project_id == project.id)
    groups = [group.id for group in call.instance.groups.lineage(project.namespace_id)]
    return _page(call, sa.select(t.runners).where(_of_all() | t.runners.c.id.in_(serving) | _of_groups(groups)))


async def list_of_group(call: Call) -> Response:
    group = wanted_group(call, may.OWNER)
    groups = [row.id for row in call.instance.groups.lineage(group.id)]
    return _page(call, sa.select(t.runners).where(_of_all() | _of_groups(groups)))


def _of_all() -> sa.ColumnElement[bool]:
    return t.runners.c.kind == INSTANCE


def _of_groups(groups: list[int]) -> sa.ColumnElement[bool]:
    serving = sa.select(t.runner_groups.c.runner_id).where(t.runner_groups.c.namespace_id.in_(groups))
    return t.runners.c.id.in_(serving)


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

    if system := call.text("system_id"):
        query = query.where(t.assignments.c.system_id == system)
    order = t.jobs.c.id if call.text("sort") == "asc" else t.jobs.c.id.desc()
    return paged_query(call, query, shape, [order], keys={"id": t.jobs.c.id}, total=not system)


async def list_projects(call: Call) -> Response:
    """GET runners/:id/projects."""
    runner = _wanted(call)
    served = [call.instance.projects.by_id(number) for number in call.instance.runners.projects(runner.id)]
    known = [project for project in served if project is not None]
    return paged(call, known, lambda project: shapes.project_basic(call, project))


async def list_managers(call: Call) -> Response:
    runner = _wanted(call)
    return paged(call, call.instance.runners.managers(runner.id), shapes.manager)


async def enable(call: Call) -> Response:
    """POST projects/:id/runners: a project runner serves one more project."""
    project = call.project(may.MAINTAINER)
    call.required("runner_id")
    runner = call.instance.runners.by_id(call.integer("runner_id") or 0)
    if runner is None:
        raise no_such("Runner")
    if runner.kind == GROUP:
        raise because(403, "Runner is a group runner")
    if runner.kind != PROJECT or not _may_change(call, runner):
        raise because(403, "No access granted")
    if runner.locked:
        raise because(403, "Runner is locked")
    if project.id not in call.instance.runners.projects(runner.id):
        values = {"runner_id": runner.id, "project_id": project.id}
        call.instance.database.execute(sa.insert(t.runner_projects).values(**values))
        call.instance.store.tick()
    return call.json(shapes.runner_shape(runner), 201)


async def disable(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    number = call.number("runner_id")
    serving = (t.runner_projects.c.runner_id == number) & (t.runner_projects.c.project_id == project.id)
    serves = call.instance.runners.projects(number)
    if serves == [project.id]:
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
    status = call.text("status")
    if status in ("active", "paused"):
        rows = [row for row in rows if row.paused == (status == "paused")]
    elif status:
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
    if runner.kind == GROUP:
        groups = call.instance.runners.groups(runner.id)
        return any(call.instance.groups.level(number, call.caller) >= may.OWNER for number in groups)
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
        "groups": [
            {"id": group.id, "web_url": f"{shapes.base(call)}/groups/{group.path}", "name": group.name}
            for number in call.instance.runners.groups(runner.id)
            if (group := call.instance.groups.namespace(number)) is not None
        ],
    }


_LISTED = (
    "type:instance_type|group_type|project_type status:online|offline|stale|never_contacted|active|paused "
    f"paused:bool tag_list:list version_prefix {PAGE}"
)
_CHANGED = (
    "description paused:bool active:bool tag_list:list run_untagged:bool locked:bool "
    "access_level:not_protected|ref_protected maximum_timeout:int maintenance_note"
)
_ONE = "/runners/{runner}"
ENDPOINTS = [
    Endpoint(
        "POST",
        "/user/runners",
        create,
        takes=f"runner_type!:instance_type|group_type|project_type project_id:int group_id:int {_CHANGED}",
        gives="CreatedRunner",
    ),
    Endpoint("GET", "/runners", list_own, takes=_LISTED, gives="[Runner]"),
    Endpoint("GET", "/runners/all", list_all, takes=_LISTED, gives="[Runner]"),
    Endpoint("GET", _ONE, show, takes="include_projects:bool", gives="RunnerDetails"),
    Endpoint("PUT", _ONE, change, takes=_CHANGED, gives="RunnerDetails"),
    Endpoint("DELETE", _ONE, delete, gives="-"),
    Endpoint(
        "GET",
        _ONE + "/jobs",
        list_jobs,
        takes=f"status order_by:id sort:asc|desc system_id pagination:keyset|legacy cursor {PAGE}",
        gives="[JobBasic]",
    ),
    Endpoint("GET", _ONE + "/managers", list_managers, takes=PAGE, gives="[RunnerManager]"),
    Endpoint("GET", _ONE + "/projects", list_projects, takes=PAGE, gives="[ProjectBasic]"),
    Endpoint("POST", _ONE + "/reset_authentication_token", reset_token, gives="RunnerToken"),
    Endpoint("GET", "/projects/{id}/runners", list_of_project, takes=_LISTED, gives="[Runner]"),
    Endpoint("POST", "/projects/{id}/runners", enable, takes="runner_id!:int", gives="Runner"),
    Endpoint("DELETE", "/projects/{id}/runners/{runner_id}", disable, gives="-"),
    Endpoint("GET", "/groups/{group}/runners", list_of_group, takes=_LISTED, gives="[Runner]"),
]
