"""/groups: namespaces of projects and of further groups, with members."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.api.projects import LISTED, page_of
from shipline.server.groups import GROUP, PATH
from shipline.server.http.answers import Refusal, json_response, no_such, refusal, time_text
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, ordered, paged_query
from shipline.server.http.routes import Endpoint

ORDERS = {"id": t.namespaces.c.id, "name": t.namespaces.c.name, "path": t.namespaces.c.path}


async def list_groups(call: Call) -> Response:
    return _page(call, sa.select(t.namespaces).where(t.namespaces.c.kind == GROUP))


async def list_subgroups(call: Call) -> Response:
    group = wanted_group(call)
    return _page(call, sa.select(t.namespaces).where(t.namespaces.c.parent_id == group.id))


async def list_descendants(call: Call) -> Response:
    group = wanted_group(call)
    inside = t.namespaces.c.id.in_(call.instance.groups.below(group)) & (t.namespaces.c.id != group.id)
    return _page(call, sa.select(t.namespaces).where(inside))


def _page(call: Call, query: sa.Select[Any]) -> Response:
    if search := call.text("search"):
        found = [
            sa.func.lower(column).contains(search.lower(), autoescape=True)
            for column in (t.namespaces.c.name, t.namespaces.c.path)
        ]
        query = query.where(sa.or_(*found))
    if call.boolean("top_level_only"):
        query = query.where(t.namespaces.c.parent_id.is_(None))
    query = query.where(_visible(call))
    return paged_query(
        call,
        query,
        lambda row: shape(call, row),
        ordered(call, ORDERS, t.namespaces.c.id, "name", "asc"),
        keys={"id": t.namespaces.c.id, "name": t.namespaces.c.name},
    )


def _visible(call: Call) -> sa.ColumnElement[bool]:
    """The condition under which the caller sees a group."""
    if call.caller is None:
        return t.namespaces.c.visibility == "public"
    if call.caller.admin:
        return sa.true()
    home = call.instance.groups.of_member(call.caller.user_id)
    return t.namespaces.c.visibility.in_(("public", "internal")) | t.namespaces.c.id.in_(sorted(home))


async def create(call: Call) -> Response:
    user = call.user()
    path, groups = call.filled("path"), call.instance.groups
    parent = None
    if (number := call.integer("parent_id")) is not None:
        parent = groups.find(str(number))
        if parent is None or not groups.level(parent.id, user):
            raise no_such("Group")
        if groups.level(parent.id, user) < may.MAINTAINER:
            raise refusal(403)
    if not PATH.match(path) or path.endswith((".git", ".atom")):
        raise Refusal(400, {"message": {"path": ["can contain only letters, digits, '_', '-' and '.'"]}})
    if call.instance.projects.namespace(f"{parent.path}/{path}" if parent is not None else path) is not None:
        raise Refusal(400, {"message": 'Failed to save group {:path=>["has already been taken"]}'})
    made = groups.create(
        path,
        call.filled("name"),
        user.user_id,
        parent,
        call.text("description") or None,
        call.text("visibility") or "private",
    )
    call.audit("create group", made.path)
    return call.json(shape(call, made), 201)


async def show(call: Call) -> Response:
    group = wanted_group(call)
    made = shape(call, group)
    if call.boolean("with_projects", True):
        inside = call.instance.projects.readable(call.caller) & (t.projects.c.namespace_id == group.id)
        query = sa.select(t.projects).where(inside).order_by(t.projects.c.id).limit(100)
        made |= {
            "projects": [shapes.project(call, row) for row in call.instance.database.all(query)],
            "shared_projects": [],
        }
    return call.json(made)


async def change(call: Call) -> Response:
    group = wanted_group(call, may.OWNER)
    texts = ("name", "description", "visibility")
    values: dict[str, Any] = {name: call.text(name) for name in texts if call.given(name)}
    if "name" in values and not values["name"].strip():
        raise Refusal(400, {"message": {"name": ["can't be blank"]}})
    if "max_artifacts_size" in call.values and call.user().admin:
        size = call.integer("max_artifacts_size")
        if size is not None and size < 1:
            raise Refusal(400, {"message": {"max_artifacts_size": ["must be greater than 0"]}})
        values["max_artifacts_size"] = size
    if values:
        changed = sa.update(t.namespaces).where(t.namespaces.c.id == group.id)
        call.instance.database.execute(changed.values(**values))
    call.audit("change group", group.path)
    return call.json(shape(call, call.instance.groups.namespace(group.id)))


async def delete(call: Call) -> Response:
    group = wanted_group(call, may.OWNER)
    inside = call.instance.groups.below(group)
    query = sa.select(t.projects).where(t.projects.c.namespace_id.in_(inside), t.projects.c.full_path.is_not(None))
    for project in call.instance.database.all(query):
        call.instance.delete_project(project)
    call.instance.groups.delete(group)
    call.audit("delete group", group.path)
    return json_response({"message": "202 Accepted"}, 202)


async def list_projects(call: Call) -> Response:
    group = wanted_group(call)
    wanted = t.projects.c.namespace_id == group.id
    if call.boolean("include_subgroups"):
        wanted = t.projects.c.namespace_id.in_(call.instance.groups.below(group))
    return page_of(call, sa.select(t.projects).where(call.instance.projects.readable(call.caller), wanted))


def wanted_group(call: Call, level: int = may.NO_ACCESS) -> Any:
    """The group that the path names, where the caller may see it and has at least this level there; else 404, 401
    or 403."""
    group = call.instance.groups.find(call.path["group"])
    own = call.instance.groups.level(group.id, call.caller) if group is not None else may.NO_ACCESS
    seen = group is not None and (
        own
        or group.visibility == "public"
        or (group.visibility == "internal" and call.caller is not None)
        or _has_a_project(call, group)
    )
    if not seen:
        if level and call.caller is None:
            raise refusal(401)
        raise no_such("Group")
    if level and own < level:
        raise refusal(401 if call.caller is None else 403)
    return group


def _has_a_project(call: Call, group: Any) -> bool:
    """Whether the caller is a member of some project in the group, which makes the group visible."""
    if call.caller is None or call.caller.job_id is not None:
        return False
    inside = call.instance.groups.below(group)
    query = sa.select(t.projects.c.id).where(
        t.projects.c.namespace_id.in_(inside), call.instance.projects.joined(call.caller)
    )
    return call.instance.database.one(query.limit(1)) is not None


def shape(call: Call, row: Any) -> shapes.Shape:
    names = [group.name for group in call.instance.groups.lineage(row.id)]
    return {
        "id": row.id,
        "web_url": f"{shapes.base(call)}/groups/{row.path}",
        "name": row.name,
        "path": row.path.rpartition("/")[2],
        "description": row.description or "",
        "visibility": row.visibility or "private",
        "avatar_url": None,
        "full_name": " / ".join(names),
        "full_path": row.path,
        "created_at": time_text(row.created_at),
        "parent_id": row.parent_id,
        "request_access_enabled": False,
        "lfs_enabled": False,
        "max_artifacts_size": row.max_artifacts_size,
    }


_ONE = "/groups/{group}"
_LISTED = f"search top_level_only:bool order_by:id|name|path sort:asc|desc pagination:keyset|legacy {PAGE}"
_CHANGED = "name description visibility:private|internal|public max_artifacts_size:int"
ENDPOINTS = [
    Endpoint("GET", "/groups", list_groups, takes=_LISTED, gives="[Group]"),
    Endpoint(
        "POST",
        "/groups",
        create,
        takes="name! path! parent_id:int description visibility:private|internal|public",
        gives="Group",
    ),
    Endpoint("GET", _ONE, show, takes="with_projects:bool", gives="Group"),
    Endpoint("PUT", _ONE, change, takes=_CHANGED, gives="Group"),
    Endpoint("DELETE", _ONE, delete, gives="Message", status=202),
    Endpoint("GET", _ONE + "/subgroups", list_subgroups, takes=_LISTED, gives="[Group]"),
    Endpoint("GET", _ONE + "/descendant_groups", list_descendants, takes=_LISTED, gives="[Group]"),
    Endpoint(
        "GET", _ONE + "/projects", list_projects, takes=f"include_subgroups:bool {LISTED}", gives="[ProjectBasic]"
    ),
]
