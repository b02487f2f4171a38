"""/projects/:id/protected_branches and protected_tags: rules for names, in which `*` stands for anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api.shapes import Shape
from shipline.server.http.answers import no_record, refusal, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged_query
from shipline.server.http.routes import Endpoint

LEVELS = {0: "No one", 30: "Developers + Maintainers", 40: "Maintainers", 60: "Administrators"}
Handler = Callable[[Call], Awaitable[Response]]


def _endpoints(kind: str, path: str) -> list[Endpoint]:
    shape = _branch if kind == "branch" else _tag

    async def list_rules(call: Call) -> Response:
        project = call.project(may.REPORTER)
        query = _rules(project.id, kind)
        if search := call.text("search"):
            found = sa.func.lower(t.protected_refs.c.name).contains(search.lower(), autoescape=True)
            query = query.where(found)
        return paged_query(call, query, shape, [t.protected_refs.c.id])

    async def show(call: Call) -> Response:
        return call.json(shape(_wanted(call, may.REPORTER, kind)))

    async def create(call: Call) -> Response:
        project = call.project(may.MAINTAINER)
        name = call.filled("name")
        push = _level(call, "push_access_level" if kind == "branch" else "create_access_level")
        known = _rules(project.id, kind).where(t.protected_refs.c.name == name)
        if call.instance.database.one(known) is not None:
            if kind == "branch":
                raise refusal(409, f"Protected branch '{name}' already exists")
            raise refusal(422, ["Name has already been taken"])
        merge, force = _level(call, "merge_access_level"), call.boolean("allow_force_push")
        call.instance.projects.protect(project.id, kind, name, push, merge, force)
        call.audit(f"protect {kind}", f"{project.full_path}: {name}")
        return call.json(shape(call.instance.database.one(known)), 201)

    async def change(call: Call) -> Response:
        rule = _wanted(call, may.MAINTAINER, kind)
        changed = sa.update(t.protected_refs).where(t.protected_refs.c.id == rule.id)
        force = call.boolean("allow_force_push", rule.allow_force_push)
        call.instance.database.execute(changed.values(allow_force_push=force))
        return call.json(shape(_wanted(call, may.MAINTAINER, kind)))

    async def delete(call: Call) -> Response:
        rule = _wanted(call, may.MAINTAINER, kind)
        call.instance.database.execute(sa.delete(t.protected_refs).where(t.protected_refs.c.id == rule.id))
        call.audit(f"unprotect {kind}", rule.name)
        return Response(status_code=204)

    one, gives = path + "/{name}", f"Protected{kind.capitalize()}"
    takes = "push_access_level:int merge_access_level:int allow_force_push:bool"
    made = [
        Endpoint("GET", path, list_rules, takes=f"search {PAGE}", gives=f"[{gives}]"),
        Endpoint(
            "POST",
            path,
            create,
            takes=f"name! {takes if kind == 'branch' else 'create_access_level:int'}",
            gives=gives,
        ),
        Endpoint("GET", one, show, gives=gives),
        Endpoint("DELETE", one, delete, gives="-"),
    ]
    if kind == "branch":
        made.append(Endpoint("PATCH", one, change, takes="allow_force_push:bool", gives=gives))
    return made


def _rules(project_id: int, kind: str) -> sa.Select[Any]:
    return sa.select(t.protected_refs).where(
        t.protected_refs.c.project_id == project_id, t.protected_refs.c.kind == kind
    )


def _wanted(call: Call, level: int, kind: str) -> Any:
    project = call.project(level)
    named = t.protected_refs.c.name == call.path["name"]
    rule = call.instance.database.one(_rules(project.id, kind).where(named))
    if rule is None:
        raise no_record()
    return rule


def _level(call: Call, name: str) -> int:
    level = call.integer(name, may.MAINTAINER)
    if level not in LEVELS:
        raise wrong_parameter(f"{name} does not have a valid value")
    return level


def _access(level: int) -> list[Shape]:
    return [{"id": level, "access_level": level, "access_level_description": LEVELS[level]}]


def _branch(rule: Any) -> Shape:
    return {
        "id": rule.id,
        "name": rule.name,
        "push_access_levels": _access(rule.push_level),
        "merge_access_levels": _access(rule.merge_level),
        "allow_force_push": rule.allow_force_push,
    }


def _tag(rule: Any) -> Shape:
    return {"name": rule.name, "create_access_levels": _access(rule.push_level)}


ENDPOINTS = [
    *_endpoints("branch", "/projects/{id}/protected_branches"),
    *_endpoints("tag", "/projects/{id}/protected_tags"),
]
