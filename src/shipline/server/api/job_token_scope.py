"""/projects/:id/job_token_scope: the projects whose jobs get in with their tokens."""

from __future__ import annotations

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.http.answers import no_such, refusal
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged_query
from shipline.server.http.routes import Endpoint
from shipline.server.project_settings import changed, settings_of


async def show(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    return call.json({"inbound_enabled": settings_of(project).inbound_job_tokens, "outbound_enabled": False})


async def change(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    settings = changed(project, inbound_job_tokens=call.boolean("enabled"))
    call.instance.projects.update(project.id, settings=settings)
    call.audit("change job token scope", project.full_path)
    return Response(status_code=204)


async def list_allowed(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    targets = sa.select(t.job_token_targets.c.target_project_id).where(
        t.job_token_targets.c.project_id == project.id
    )
    allowed = t.projects.c.id.in_(targets) | (t.projects.c.id == project.id)
    query = sa.select(t.projects).where(allowed)
    return paged_query(call, query, lambda row: shapes.project_basic(call, row), [t.projects.c.id])


async def allow(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    number = call.integer("target_project_id") or 0
    target = call.instance.projects.by_id(number)
    if target is None or not call.instance.projects.level(target, call.user()):
        raise no_such("Project")
    values = {"project_id": project.id, "target_project_id": target.id}
    if call.instance.projects.lets_in(project, target.id):
        raise refusal(400, "This project is already in the job token allowlist.")
    call.instance.database.execute(sa.insert(t.job_token_targets).values(**values))
    call.audit("allow job tokens", f"{project.full_path}: {target.full_path}")
    return call.json({"source_project_id": project.id, "target_project_id": target.id}, 201)


async def disallow(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    known = (t.job_token_targets.c.project_id == project.id) & (
        t.job_token_targets.c.target_project_id == call.number("target_project_id")
    )
    if not call.instance.database.execute(sa.delete(t.job_token_targets).where(known)).rowcount:
        raise refusal(404)
    return Response(status_code=204)


_ONE = "/projects/{id}/job_token_scope"
ENDPOINTS = [
    Endpoint("GET", _ONE, show, gives="JobTokenScope"),
    Endpoint("PATCH", _ONE, change, takes="enabled!:bool", gives="-", status=204),
    Endpoint("GET", _ONE + "/allowlist", list_allowed, takes=PAGE, gives="[ProjectBasic]"),
    Endpoint("POST", _ONE + "/allowlist", allow, takes="target_project_id!:int", gives="hash"),
    Endpoint("DELETE", _ONE + "/allowlist/{target_project_id}", disallow, gives="-"),
]
