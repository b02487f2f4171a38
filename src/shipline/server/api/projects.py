"""/projects: list, make, change, delete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.engine.git import GitCall
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.http.answers import Refusal, json_response, no_such, refusal, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import paged_query
from shipline.server.http.routes import Endpoint
from shipline.server.projects import Refused

VISIBILITIES = ("private", "internal", "public")
ORDERS = {
    "id": t.projects.c.id,
    "name": t.projects.c.name,
    "path": t.projects.c.full_path,
    "created_at": t.projects.c.created_at,
    "updated_at": t.projects.c.last_activity_at,
    "last_activity_at": t.projects.c.last_activity_at,
}
SETTINGS = {
    "name": "name",
    "description": "description",
    "visibility": "visibility",
    "ci_config_path": "config_path",
    "ci_default_git_depth": "git_depth",
    "build_timeout": "build_timeout",
    "shared_runners_enabled": "shared_runners",
}
"""What PUT changes, and the column that keeps it."""


async def list_projects(call: Call) -> Response:
    query = sa.select(t.projects).where(call.instance.projects.readable(call.caller))
    if search := call.text("search"):
        like = f"%{search.lower()}%"
        query = query.where(
            sa.func.lower(t.projects.c.name).like(like) | sa.func.lower(t.projects.c.full_path).like(like)
        )
    if visibility := call.choice("visibility", VISIBILITIES):
        query = query.where(t.projects.c.visibility == visibility)
    if call.given("archived"):
        query = query.where(t.projects.c.archived == call.boolean("archived"))
    if call.boolean("owned"):
        own = sa.select(t.namespaces.c.id).where(t.namespaces.c.owner_id == call.user().user_id)
        query = query.where(t.projects.c.namespace_id.in_(own))
    column = ORDERS[call.choice("order_by", ORDERS, "created_at")]
    newest_first = call.choice("sort", ("asc", "desc"), "desc") == "desc"
    order = [column.desc(), t.projects.c.id.desc()] if newest_first else [column, t.projects.c.id]
    return paged_query(call, query, lambda row: shapes.project(call, row), order)


async def create_project(call: Call) -> Response:
    user = call.user()
    if not call.given("name") and not call.given("path"):
        raise wrong_parameter("name, path are missing, at least one parameter must be provided")
    name = call.text("name") or call.text("path")
    path = call.text("path") or re.sub(r"[^A-Za-z0-9_.]+", "-", name.lower()).strip("-.")
    namespaces = sa.select(t.namespaces)
    if (number := call.integer("namespace_id")) is not None:
        namespace = call.instance.database.one(namespaces.where(t.namespaces.c.id == number))
    else:
        namespace = call.instance.projects.namespace(user.username)
    if namespace is None or not (user.admin or namespace.owner_id == user.user_id):
        raise Refusal(400, {"message": {"namespace": ["is not valid"]}})
    try:
        made = call.instance.projects.create(
            namespace,
            path,
            user.user_id,
            name=name,
            description=call.text("description") or None,
            visibility=call.choice("visibility", VISIBILITIES, "private"),
            default_branch=call.text("default_branch"),
        )
    except Refused as why:
        taken = {"name": [str(why)], "path": [str(why)]}
        raise Refusal(400, {"message": taken if "taken" in str(why) else {"path": [str(why)]}}) from None
    call.audit("create project", made.full_path)
    return call.json(shapes.project(call, made), 201)


async def show_project(call: Call) -> Response:
    return call.json(shapes.project(call, call.project()))


async def change_project(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    call.choice("visibility", VISIBILITIES)
    values: dict[str, Any] = {}
    for parameter, column in SETTINGS.items():
        if not call.given(parameter):
            continue
        if parameter in ("ci_default_git_depth", "build_timeout"):
            values[column] = call.integer(parameter)
        elif parameter == "shared_runners_enabled":
            values[column] = call.boolean(parameter)
        else:
            values[column] = call.text(parameter)
    if call.given("default_branch"):
        branch = call.text("default_branch")
        known = GitCall(Path(project.path), "rev-parse", "-q", "--verify", f"refs/heads/{branch}")
        if not known.output(missing=b""):
            text = f"Could not change HEAD: branch '{branch}' does not exist"
            raise Refusal(400, {"message": {"base": [text]}})
        call.instance.projects.set_default_branch(project, branch)
    if values:
        with call.instance.database.transaction():
            call.instance.projects.update(project.id, **values)
            if "shared_runners" in values:
                waiting = sa.update(t.queue).where(t.queue.c.project_id == project.id)
                call.instance.database.execute(waiting.values(shared=values["shared_runners"]))
                call.instance.store.tick()
    call.audit("change project", project.full_path)
    return call.json(shapes.project(call, call.instance.projects.by_id(project.id)))


async def delete_project(call: Call) -> Response:
    project = call.project(may.OWNER)
    busy = sa.select(t.jobs.c.pipeline_id).where(
        t.jobs.c.project_id == project.id, t.jobs.c.status.in_(("pending", "running", "canceling"))
    )
    for row in call.instance.database.all(busy.distinct()):
        call.instance.pipelines.cancel(row[0])
    call.instance.projects.delete(project)
    call.audit("delete project", project.full_path)
    return json_response({"message": "202 Accepted"}, 202)


async def archive(call: Call) -> Response:
    return _archived(call, True)


async def unarchive(call: Call) -> Response:
    return _archived(call, False)


def _archived(call: Call, archived: bool) -> Response:
    project = call.project(may.OWNER)
    call.instance.projects.update(project.id, archived=archived)
    return call.json(shapes.project(call, call.instance.projects.by_id(project.id)), 201)


async def projects_of_user(call: Call) -> Response:
    user_id = call.number("user_id")
    own = sa.select(t.namespaces.c.id).where(t.namespaces.c.owner_id == user_id, t.namespaces.c.kind == "user")
    if call.instance.accounts.user(user_id) is None:
        raise no_such("User")
    query = sa.select(t.projects).where(
        call.instance.projects.readable(call.caller), t.projects.c.namespace_id.in_(own)
    )
    return paged_query(call, query, lambda row: shapes.project(call, row), [t.projects.c.id.desc()])


async def list_namespaces(call: Call) -> Response:
    user = call.user()
    query = sa.select(t.namespaces)
    if not user.admin:
        query = query.where(t.namespaces.c.owner_id == user.user_id)
    return paged_query(call, query, lambda row: shapes.namespace_shape(call, row), [t.namespaces.c.id])


async def create_group(call: Call) -> Response:
    """POST groups: a namespace for projects; members are added to the projects themselves."""
    user = call.user()
    call.required("name", "path")
    path = call.text("path")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", path):
        raise Refusal(400, {"message": {"path": ["can contain only letters, digits, '_', '-' and '.'"]}})
    if call.instance.projects.namespace(path) is not None:
        raise Refusal(400, {"message": {"path": ["has already been taken"]}})
    now = call.instance.pipelines.clock()
    values = {"path": path, "name": call.text("name"), "kind": "group", "owner_id": user.user_id, "created_at": now}
    number = call.instance.database.insert(t.namespaces, **values)
    call.audit("create group", path)
    row = call.instance.database.one(sa.select(t.namespaces).where(t.namespaces.c.id == number))
    return call.json(_group(call, row), 201)


async def show_group(call: Call) -> Response:
    key = call.path["group"]
    known = t.namespaces.c.id == int(key) if key.isdigit() else t.namespaces.c.path == key
    row = call.instance.database.one(sa.select(t.namespaces).where(known, t.namespaces.c.kind == "group"))
    if row is None:
        raise no_such("Group")
    if call.caller is None:
        raise refusal(401)
    return call.json(_group(call, row))


def _group(call: Call, row: Any) -> shapes.Shape:
    shape = shapes.namespace_shape(call, row)
    return {
        key: shape[key] for key in ("id", "web_url", "name", "path", "full_path", "parent_id", "avatar_url")
    } | {
        "full_name": row.name,
        "description": "",
        "visibility": "private",
        "created_at": None,
    }


ENDPOINTS = [
    Endpoint("GET", "/projects", list_projects),
    Endpoint("POST", "/projects", create_project),
    Endpoint("GET", "/projects/{id}", show_project),
    Endpoint("PUT", "/projects/{id}", change_project),
    Endpoint("DELETE", "/projects/{id}", delete_project),
    Endpoint("POST", "/projects/{id}/archive", archive),
    Endpoint("POST", "/projects/{id}/unarchive", unarchive),
    Endpoint("GET", "/users/{user_id}/projects", projects_of_user),
    Endpoint("GET", "/namespaces", list_namespaces),
    Endpoint("POST", "/groups", create_group),
    Endpoint("GET", "/groups/{group}", show_group),
]
