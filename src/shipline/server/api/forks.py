"""/projects/:id/fork and /forks: a project of one's own that begins with all that another has. Merge requests go
from one branch of a project to another, not from fork to fork."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import projects, shapes
from shipline.server.api.commits import reading_code
from shipline.server.http.answers import Refusal, no_such
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint
from shipline.server.projects import Refused

OPENNESS = ("private", "internal", "public")


async def fork(call: Call) -> Response:
    """POST: in the caller's namespace, or in one that the caller may make projects in."""
    source = call.project(reading_code(call))
    user = call.user()
    namespace = _namespace(call)
    if namespace is None or call.instance.groups.level(namespace.id, user) < may.MAINTAINER:
        raise no_such("Target Namespace")
    visibility = call.text("visibility") or source.visibility
    if OPENNESS.index(visibility) > OPENNESS.index(source.visibility):
        text = f"{visibility} is not allowed since the fork source project has lower visibility."
        raise Refusal(409, {"message": {"visibility_level": [text]}})
    path = call.text("path") or source.full_path.rpartition("/")[2]
    description = call.text("description") or source.description
    try:
        made = call.instance.projects.fork(
            source,
            namespace,
            path,
            user.user_id,
            name=call.text("name") or source.name,
            description=description,
            visibility=visibility,
        )
    except Refused as why:
        raise Refusal(409, {"message": {"name": [str(why)], "path": [str(why)]}}) from None
    call.audit("fork project", f"{source.full_path} to {made.full_path}")
    return call.json(shapes.project(call, made), 201)


async def list_forks(call: Call) -> Response:
    project = call.project()
    readable = call.instance.projects.readable(call.caller)
    return projects.page_of(call, sa.select(t.projects).where(readable, t.projects.c.forked_from == project.id))


async def forget(call: Call) -> Response:
    """DELETE fork: the project is nobody's fork any more."""
    project = call.project(may.OWNER)
    call.instance.projects.update(project.id, forked_from=None)
    return Response(status_code=204 if project.forked_from is not None else 304)


def _namespace(call: Call) -> Any | None:
    if (number := call.integer("namespace_id")) is not None:
        return call.instance.groups.namespace(number)
    named = call.text("namespace_path") or call.text("namespace") or call.user().username
    if named.isdecimal() and call.given("namespace") and len(named) < 10:
        return call.instance.groups.namespace(int(named))
    return call.instance.projects.namespace(named)


ENDPOINTS = [
    Endpoint(
        "POST",
        "/projects/{id}/fork",
        fork,
        takes="name path namespace namespace_id:int namespace_path description visibility:private|internal|public",
        gives="Project",
    ),
    Endpoint("DELETE", "/projects/{id}/fork", forget, gives="-"),
    Endpoint("GET", "/projects/{id}/forks", list_forks, takes=projects.LISTED, gives="[ProjectBasic]"),
]
