"""/projects and /namespaces: list, make, change, delete."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.engine.git import GitCall
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.api.written import put_on_branch
from shipline.server.git.writing import Action, Person, commit
from shipline.server.http.answers import Refusal, json_response, no_such, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import ordered, paged_query
from shipline.server.http.parameters import number_in
from shipline.server.http.routes import Endpoint
from shipline.server.project_settings import changed, settings_of
from shipline.server.projects import Refused

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
    return page_of(call, sa.select(t.projects).where(call.instance.projects.readable(call.caller)))


async def create_project(call: Call) -> Response:
    user = call.user()
    if not call.given("name") and not call.given("path"):
        raise wrong_parameter("name, path are missing, at least one parameter must be provided")
    name = call.text("name") or call.text("path")
    path = call.text("path") or re.sub(r"[^A-Za-z0-9_.]+", "-", name.lower()).strip("-.")
    if (number := call.integer("namespace_id")) is not None:
        namespace = call.instance.groups.namespace(number)
    else:
        namespace = call.instance.projects.namespace(user.username)
    if namespace is None or call.instance.groups.level(namespace.id, user) < may.MAINTAINER:
        raise Refusal(400, {"message": {"namespace": ["is not valid"]}})
    try:
        made = call.instance.projects.create(
            namespace,
            path,
            user.user_id,
            name=name,
            description=call.text("description") or None,
            visibility=call.text("visibility") or "private",
            default_branch=call.text("default_branch"),
        )
    except Refused as why:
        taken = {"name": [str(why)], "path": [str(why)]}
        raise Refusal(400, {"message": taken if "taken" in str(why) else {"path": [str(why)]}}) from None
    call.audit("create project", made.full_path)
    if values := _settings(call, made):
        call.instance.projects.update(made.id, **values)
    if call.boolean("initialize_with_readme"):
        await _write_readme(call, made)
    return call.json(shapes.project(call, call.instance.projects.by_id(made.id)), 201)


async def _write_readme(call: Call, project: Any) -> None:
    """The first commit, with the project's name and what it is."""
    text = "\n\n".join(part for part in (f"# {project.name}", project.description or "") if part)
    user = call.user()
    who = Person(user.name, user.email)
    first = Action("create", "README.md", f"{text}\n".encode())
    made = await asyncio.to_thread(commit, Path(project.path), None, "Initial commit", [first], who, who)
    await put_on_branch(call, project, project.default_branch, None, made)


async def show_project(call: Call) -> Response:
    project = call.project()
    shape = shapes.project_basic if call.caller is None else shapes.project
    return call.json(shape(call, project))


async def change_project(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    values = _settings(call, project)
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


def _settings(call: Call, project: Any) -> dict[str, Any]:
    """The columns that the call changes."""
    values: dict[str, Any] = {}
    for parameter, column in SETTINGS.items():
        if call.given(parameter):
            values[column] = _READ[column](call, parameter) if column in _READ else call.text(parameter)
    for number in ("git_depth", "build_timeout"):
        if number in values and not _LEAST[number] <= (values[number] or 0) <= _MOST:
            raise Refusal(400, {"message": {number: ["must be a number in range"]}})
    if "name" in values and not values["name"].strip():
        raise Refusal(400, {"message": {"name": ["can't be blank"]}})
    own: dict[str, Any] = {}
    for parameter, field in (
        ("public_builds", "public_jobs"),
        ("public_jobs", "public_jobs"),
        ("group_runners_enabled", "group_runners"),
        ("keep_latest_artifact", "keep_latest_artifact"),
        ("ci_separated_caches", "separated_caches"),
        ("ci_forward_deployment_enabled", "forward_deployment"),
    ):
        if call.given(parameter):
            own[field] = call.boolean(parameter)
    if "ci_delete_pipelines_in_seconds" in call.values:
        own["delete_pipelines_after"] = call.integer("ci_delete_pipelines_in_seconds")
    if "max_artifacts_size" in call.values and call.user().admin:
        size = call.integer("max_artifacts_size")
        if size is not None and size < 1:
            raise Refusal(400, {"message": {"max_artifacts_size": ["must be greater than 0"]}})
        own["max_artifacts_size"] = size
    for older in ("tag_list", "topics"):
        if call.given(older):
            own["topics"] = [str(topic) for topic in call.listed(older)]
    if role := call.text("ci_pipeline_variables_minimum_override_role"):
        own["pipeline_variables_role"] = role
    return values | ({"settings": changed(project, **own)} if own else {})


_READ: dict[str, Callable[[Call, str], Any]] = {
    "git_depth": lambda call, name: call.integer(name),
    "build_timeout": lambda call, name: call.integer(name),
    "shared_runners": lambda call, name: call.boolean(name),
}
_LEAST = {"git_depth": 0, "build_timeout": 600}
_MOST = 10**7


async def delete_project(call: Call) -> Response:
    project = call.project(may.OWNER)
    call.instance.delete_project(project)
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


async def reset_cache(call: Call) -> Response:
    """Runners find none of the project's caches any more. GitLab has it as a button and in GraphQL only."""
    project = call.project(may.MAINTAINER)
    index = (settings_of(project).cache_index or 0) + 1
    call.instance.projects.update(project.id, settings=changed(project, cache_index=index))
    call.audit("clear runner caches", project.full_path)
    return call.json({"message": "201 Created"}, 201)


async def projects_of_user(call: Call) -> Response:
    user_id = call.path["user_id"]
    accounts = call.instance.accounts
    user = accounts.user(call.number("user_id")) if user_id.isdecimal() else accounts.by_name(user_id)
    if user is None:
        raise no_such("User")
    own = sa.select(t.namespaces.c.id).where(t.namespaces.c.owner_id == user.id, t.namespaces.c.kind == "user")
    readable = call.instance.projects.readable(call.caller)
    return page_of(call, sa.select(t.projects).where(readable, t.projects.c.namespace_id.in_(own)))


def page_of(call: Call, query: sa.Select[Any]) -> Response:
    """A page of projects, as the call filters and orders them."""
    if search := call.text("search"):
        matching = [t.projects.c.name, t.projects.c.full_path]
        found = [sa.func.lower(column).contains(search.lower(), autoescape=True) for column in matching]
        query = query.where(sa.or_(*found))
    if visibility := call.text("visibility"):
        query = query.where(t.projects.c.visibility == visibility)
    if call.given("archived"):
        query = query.where(t.projects.c.archived == call.boolean("archived"))
    if call.boolean("owned"):
        home = call.instance.groups.of_member(call.user().user_id)
        query = query.where(t.projects.c.namespace_id.in_(sorted(home)))
    if call.boolean("membership") and not call.user().admin:
        query = query.where(call.instance.projects.joined(call.user()))
    query = _after(call, query)
    simple = call.caller is None or call.boolean("simple")
    shape = shapes.project_basic if simple else shapes.project
    return paged_query(
        call,
        query,
        lambda row: shape(call, row),
        ordered(call, ORDERS, t.projects.c.id, "created_at"),
        keys={"id": t.projects.c.id},
    )


def _after(call: Call, query: sa.Select[Any]) -> sa.Select[Any]:
    """The bounds that times and numbers set."""
    for name, column in (
        ("last_activity", t.projects.c.last_activity_at),
        ("updated", t.projects.c.last_activity_at),
    ):
        if (moment := call.moment(f"{name}_after")) is not None:
            query = query.where(column >= moment)
        if (moment := call.moment(f"{name}_before")) is not None:
            query = query.where(column <= moment)
    if (number := call.integer("id_after")) is not None:
        query = query.where(t.projects.c.id > number)
    if (number := call.integer("id_before")) is not None:
        query = query.where(t.projects.c.id < number)
    return query


async def list_namespaces(call: Call) -> Response:
    user = call.user()
    query = sa.select(t.namespaces)
    if not user.admin:
        query = query.where(t.namespaces.c.id.in_(sorted(call.instance.groups.of_member(user.user_id))))
    if search := call.text("search"):
        query = query.where(sa.func.lower(t.namespaces.c.path).contains(search.lower(), autoescape=True))
    return paged_query(call, query, lambda row: shapes.namespace_shape(call, row), [t.namespaces.c.id])


async def show_namespace(call: Call) -> Response:
    user, key = call.user(), call.path["namespace"]
    groups = call.instance.groups
    row = call.instance.projects.namespace(key)
    if row is None and (number := number_in(key)) is not None:
        row = groups.namespace(number)
    if row is None or not (user.admin or row.id in groups.of_member(user.user_id)):
        raise no_such("Namespace")
    return call.json(shapes.namespace_shape(call, row))


LISTED = (
    "page:int per_page:int pagination:keyset|legacy order_by:id|name|path|created_at|updated_at|last_activity_at "
    "sort:asc|desc search owned:bool membership:bool simple:bool archived:bool visibility:private|internal|public "
    "id_after:int id_before:int last_activity_after:ts last_activity_before:ts updated_after:ts updated_before:ts"
)
CHANGED = (
    "name description visibility:private|internal|public default_branch ci_config_path ci_default_git_depth:int "
    "build_timeout:int shared_runners_enabled:bool group_runners_enabled:bool public_builds:bool public_jobs:bool "
    "keep_latest_artifact:bool ci_forward_deployment_enabled:bool ci_delete_pipelines_in_seconds:int topics:list "
    "tag_list:list ci_pipeline_variables_minimum_override_role:no_one_allowed|developer|maintainer|owner "
    "ci_separated_caches:bool max_artifacts_size:int"
)
ENDPOINTS = [
    Endpoint("GET", "/projects", list_projects, takes=LISTED, gives="[ProjectBasic]"),
    Endpoint(
        "POST",
        "/projects",
        create_project,
        takes=f"path namespace_id:int initialize_with_readme:bool {CHANGED}",
        gives="Project",
    ),
    Endpoint("GET", "/projects/{id}", show_project, gives="ProjectBasic"),
    Endpoint("PUT", "/projects/{id}", change_project, takes=CHANGED, gives="Project"),
    Endpoint("DELETE", "/projects/{id}", delete_project, gives="Message", status=202),
    Endpoint("POST", "/projects/{id}/archive", archive, gives="Project"),
    Endpoint("POST", "/projects/{id}/unarchive", unarchive, gives="Project"),
    Endpoint("POST", "/projects/{id}/reset_cache", reset_cache, gives="Message"),
    Endpoint("GET", "/users/{user_id}/projects", projects_of_user, takes=LISTED, gives="[ProjectBasic]"),
    Endpoint("GET", "/namespaces", list_namespaces, takes="search page:int per_page:int", gives="[Namespace]"),
    Endpoint("GET", "/namespaces/{namespace}", show_namespace, gives="Namespace"),
]
