"""/projects/:id/deployments: what jobs, and other programs through this API, have deployed to environments."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.responses import Response

from shipline.engine.deployments import last_success
from shipline.engine.possessions import Environment
from shipline.engine.records import Deployment
from shipline.language.job_variables import tier
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api.environment_shapes import deployment_shape
from shipline.server.http.answers import because, no_record, refusal, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import paged_query
from shipline.server.http.routes import Endpoint

ORDERS = {
    "id": t.deployments.c.id,
    "iid": t.deployments.c.id,
    "created_at": t.deployments.c.id,
    "updated_at": t.deployments.c.updated_at,
    "finished_at": t.deployments.c.updated_at,
    "ref": t.deployments.c.ref,
}
STATUSES = ("created", "running", "success", "failed", "canceled", "blocked")
ENDED = ("success", "failed", "canceled")


async def list_deployments(call: Call) -> Response:
    project = call.project(may.REPORTER)
    query = sa.select(t.deployments).where(
        t.deployments.c.project_id == project.id, t.deployments.c.action == "start"
    )
    if name := call.text("environment"):
        query = query.where(t.deployments.c.environment == name)
    if status := call.choice("status", STATUSES):
        query = query.where(t.deployments.c.status == status)
    ordered_by = call.choice("order_by", ORDERS, "id")
    for field in ("updated", "finished"):
        after, before = _moment(call, f"{field}_after"), _moment(call, f"{field}_before")
        if (after or before) and ordered_by != f"{field}_at":
            raise because(400, f"`{field}_at` filter requires `{field}_at` sort")
        if (after or before) and field == "finished" and status != "success":
            raise because(400, "`finished_at` filter must be combined with `success` status filter.")
        if after is not None:
            query = query.where(t.deployments.c.updated_at >= after)
        if before is not None:
            query = query.where(t.deployments.c.updated_at <= before)
    column = ORDERS[ordered_by]
    descending = call.choice("sort", ("asc", "desc"), "asc") == "desc"
    order = [column.desc() if descending else column, t.deployments.c.id]
    return paged_query(call, query, lambda row: deployment_shape(call, project, row), order)


async def show_deployment(call: Call) -> Response:
    project, row = _wanted(call, may.REPORTER)
    return call.json(deployment_shape(call, project, row))


async def create(call: Call) -> Response:
    """What some other program has deployed."""
    project = call.project(may.DEVELOPER)
    call.required("environment", "sha", "ref", "tag", "status")
    status: Any = call.choice("status", ("running", *ENDED))
    name, ref, sha = call.text("environment"), call.text("ref"), call.text("sha")
    repository = call.instance.projects.repository(project, call.instance.settings.url)
    try:
        kind = "tags" if call.boolean("tag") else "heads"
        if repository.objects.read(f"refs/{kind}/{ref}^{{commit}}") is None:
            raise refusal(400, {"ref": ["The branch or tag does not exist"]})
        commit = repository.objects.read(f"{sha}^{{commit}}")
        if commit is None:
            raise refusal(400, {"sha": ["The commit does not exist"]})
    finally:
        repository.close()
    now = time.time()
    store = call.instance.store
    with store.transaction():
        if store.possession(project.id, Environment, name) is None:
            store.possess(project.id, Environment(name, tier(name), created_at=now, updated_at=now))
        made = Deployment(name, 0, 0, commit.sha, ref, status, now, finished_at=now if status in ENDED else None)
        user = call.user().user_id
        number = store.add_deployment(project.id, made, user)
    call.audit("create deployment", f"{project.full_path}: {name}")
    return call.json(deployment_shape(call, project, _row(call, number)), 201)


async def update(call: Call) -> Response:
    project, row = _wanted(call, may.DEVELOPER)
    call.required("status")
    status = call.choice("status", ("running", *ENDED))
    record = msgspec.json.decode(row.record, type=Deployment)
    if record.job_id > 0:
        raise because(403, "Deployments created using GitLab CI can not be updated using the API")
    if record.status in ENDED and status != record.status:
        raise refusal(400, {"status": [f'cannot transition via "{status}"']})
    ended = msgspec.structs.replace(record, status=status, finished_at=time.time() if status in ENDED else None)
    call.instance.store.save_deployment(project.id, ended)
    return call.json(deployment_shape(call, project, _row(call, row.id)))


async def delete(call: Call) -> Response:
    project, row = _wanted(call, may.DEVELOPER)
    record = msgspec.json.decode(row.record, type=Deployment)
    if record.status == "running":
        raise refusal(400, "Cannot destroy running deployment")
    last = last_success(call.instance.store, project.id, record.environment)
    if last == record:
        raise refusal(400, "Deployment currently deployed to environment")
    call.instance.database.execute(sa.delete(t.deployments).where(t.deployments.c.id == row.id))
    call.audit("delete deployment", f"{project.full_path}: {row.id}")
    return Response(status_code=204)


async def list_merge_requests(call: Call) -> Response:
    """There are no merge requests here."""
    _wanted(call, may.REPORTER)
    return call.json([])


def _moment(call: Call, name: str) -> float | None:
    """A date and time among the parameters, as Unix seconds."""
    if not call.given(name):
        return None
    try:
        found = datetime.fromisoformat(call.text(name))
    except ValueError:
        raise wrong_parameter(f"{name} is invalid") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _wanted(call: Call, level: int) -> tuple[Any, Any]:
    project = call.project(level)
    row = _row(call, call.number("deployment_id"))
    if row is None or row.project_id != project.id or row.action != "start":
        raise no_record()
    return project, row


def _row(call: Call, number: int) -> Any:
    return call.instance.database.one(sa.select(t.deployments).where(t.deployments.c.id == number))


_ONE = "/projects/{id}/deployments/{deployment_id}"
_ALL = "/projects/{id}/deployments"
_LISTED = (
    "environment status:created|running|success|failed|canceled|blocked sort:asc|desc "
    "order_by:id|iid|created_at|updated_at|finished_at|ref updated_after:ts updated_before:ts finished_after:ts "
    "finished_before:ts page:int per_page:int"
)
_STATUS = "status!:running|success|failed|canceled"
ENDPOINTS = [
    Endpoint("GET", _ALL, list_deployments, takes=_LISTED, gives="[Deployment]"),
    Endpoint("POST", _ALL, create, takes=f"environment! sha! ref! tag!:bool {_STATUS}", gives="Deployment"),
    Endpoint("GET", _ONE, show_deployment, gives="Deployment"),
    Endpoint("PUT", _ONE, update, takes=_STATUS, gives="Deployment"),
    Endpoint("DELETE", _ONE, delete, gives="-"),
    Endpoint("GET", _ONE + "/merge_requests", list_merge_requests, gives="[hash]"),
]
