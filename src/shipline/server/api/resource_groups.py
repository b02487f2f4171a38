"""/projects/:id/resource_groups: which jobs run one at a time, and in which order."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.responses import Response

from shipline.engine.possessions import ResourceGroup
from shipline.engine.records import JobRecord
from shipline.engine.resources import MODES, set_mode, upcoming
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.http.answers import no_record, time_text, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import paged
from shipline.server.http.routes import Endpoint


async def list_groups(call: Call) -> Response:
    project = call.project(may.REPORTER)
    of_project = (t.possessions.c.project_id == project.id) & (t.possessions.c.kind == "resource_group")
    rows = call.instance.database.all(sa.select(t.possessions).where(of_project).order_by(t.possessions.c.id))
    return paged(call, rows, group_shape)


async def show(call: Call) -> Response:
    _, row = _wanted(call, may.REPORTER)
    return call.json(group_shape(row))


async def update(call: Call) -> Response:
    project, row = _wanted(call, may.DEVELOPER)
    if call.given("process_mode"):
        mode: Any = call.choice("process_mode", MODES)
        if not mode:
            raise wrong_parameter("process_mode does not have a valid value")
        set_mode(call.instance.store, project.id, row.name, mode, time.time())
        call.audit("change resource group", f"{project.full_path}: {row.name}")
    return call.json(group_shape(_wanted(call, may.DEVELOPER)[1]))


async def upcoming_jobs(call: Call) -> Response:
    project, row = _wanted(call, may.REPORTER)
    jobs = upcoming(call.instance.store, project.id, row.name)
    return paged(call, jobs, lambda job: _job(call, project, job))


async def current_job(call: Call) -> Response:
    project, row = _wanted(call, may.REPORTER)
    holders = call.instance.store.resource_holders(project.id, row.name)
    return call.json(_job(call, project, holders[0]) if holders else None)


def _wanted(call: Call, level: int) -> tuple[Any, Any]:
    project = call.project(level)
    row = call.instance.database.one(
        sa.select(t.possessions).where(
            t.possessions.c.project_id == project.id,
            t.possessions.c.kind == "resource_group",
            t.possessions.c.name == call.path["key"],
        )
    )
    if row is None:
        raise no_record()
    return project, row


def _job(call: Call, project: Any, job: JobRecord) -> shapes.Shape:
    row = call.instance.database.one(sa.select(t.jobs).where(t.jobs.c.id == job.id))
    return shapes.job(call, row, project.full_path)


def group_shape(row: Any) -> shapes.Shape:
    group = msgspec.json.decode(row.record, type=ResourceGroup)
    return {
        "id": row.id,
        "key": group.key,
        "process_mode": group.process_mode,
        "created_at": time_text(group.created_at),
        "updated_at": time_text(group.updated_at),
    }


_ONE = "/projects/{id}/resource_groups/{key}"
ENDPOINTS = [
    Endpoint(
        "GET",
        "/projects/{id}/resource_groups",
        list_groups,
        takes="page:int per_page:int",
        gives="[ResourceGroup]",
    ),
    Endpoint("GET", _ONE, show, gives="ResourceGroup"),
    Endpoint("PUT", _ONE, update, takes=f"process_mode:{'|'.join(MODES)}", gives="ResourceGroup"),
    Endpoint("GET", _ONE + "/upcoming_jobs", upcoming_jobs, takes="page:int per_page:int", gives="[Job]"),
    Endpoint("GET", _ONE + "/current_job", current_job, gives="any"),
]
