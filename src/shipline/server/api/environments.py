"""/projects/:id/environments: list, show, make, change, stop, delete."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.responses import Response

from shipline.engine import environments
from shipline.engine.deployments import last_success
from shipline.engine.possessions import Environment
from shipline.language.job_variables import tier as guessed_tier
from shipline.language.keywords.environment import NAME_RULE, is_name
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.api.environment_shapes import basic, deployment_shape, environment_shape
from shipline.server.http.answers import because, no_record, refusal, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import paged_query
from shipline.server.http.routes import Endpoint
from shipline.server.possessions import environment_of

STATES = ("available", "stopping", "stopped")
TIERS = ("production", "staging", "testing", "development", "other")
SETTINGS = ("always", "with_action")
SHORTEST_SEARCH = 3
REVIEW_AGE = timedelta(days=30)


async def list_environments(call: Call) -> Response:
    project = call.project(may.REPORTER)
    if call.given("name") and call.given("search"):
        raise wrong_parameter("name, search cannot be used together")
    query = sa.select(t.environments).where(t.environments.c.project_id == project.id)
    if name := call.text("name"):
        query = query.where(t.environments.c.name == name)
    if search := call.text("search"):
        if len(search) < SHORTEST_SEARCH:
            raise because(400, "Search query is less than 3 characters")
        query = query.where(sa.func.lower(t.environments.c.name).contains(search.lower(), autoescape=True))
    if state := call.choice("states", STATES):
        query = query.where(t.environments.c.state == state)

    def shape(row: Any) -> shapes.Shape:
        return environment_shape(row) | {"project": shapes.project_id(call, project)}

    return paged_query(call, query, shape, [t.environments.c.name])


async def show_environment(call: Call) -> Response:
    project, row = _wanted(call, may.REPORTER)
    last = last_success(call.instance.store, project.id, row.name)
    deployed = None
    if last is not None:
        found = sa.select(t.deployments).where(t.deployments.c.job_id == last.job_id)
        deployed = deployment_shape(call, project, call.instance.database.one(found))
        del deployed["environment"]
    return call.json(environment_shape(row) | {"last_deployment": deployed})


async def create(call: Call) -> Response:
    project = call.project(may.DEVELOPER)
    call.required("name")
    name = call.text("name")
    if call.given("slug"):
        raise wrong_parameter("slug is automatically generated and cannot be changed")
    if not is_name(name):
        raise refusal(400, {"name": [NAME_RULE]})
    if call.instance.store.possession(project.id, Environment, name) is not None:
        raise refusal(400, {"name": ["has already been taken"]})
    now = time.time()
    tier = call.choice("tier", TIERS) or guessed_tier(name)
    made = Environment(name, tier, created_at=now, updated_at=now)
    call.instance.store.possess(project.id, _described(call, made))
    call.audit("create environment", f"{project.full_path}: {name}")
    return call.json(_now(call, project, name), 201)


async def update(call: Call) -> Response:
    project, row = _wanted(call, may.DEVELOPER)
    if call.given("slug"):
        raise wrong_parameter("slug is automatically generated and cannot be changed")
    changed = _described(call, environment_of(row))
    if tier := call.choice("tier", TIERS):
        changed = msgspec.structs.replace(changed, tier=tier)
    call.instance.store.possess(project.id, msgspec.structs.replace(changed, updated_at=time.time()))
    call.audit("change environment", f"{project.full_path}: {row.name}")
    return call.json(_now(call, project, row.name))


def _described(call: Call, environment: Environment) -> Environment:
    """The environment with what the call says of it."""
    fields: dict[str, Any] = {}
    if call.given("external_url"):
        url = call.text("external_url")
        if url and not url.startswith(("http://", "https://")):
            raise refusal(400, {"external_url": ["is blocked: Only allowed schemes are http, https"]})
        fields["url"] = url or None
    if call.given("description"):
        fields["description"] = call.text("description")
    if setting := call.choice("auto_stop_setting", SETTINGS):
        fields["auto_stop_setting"] = setting
    return msgspec.structs.replace(environment, **fields)


async def stop(call: Call) -> Response:
    """Starts the jobs that stop the environment, where there are some; else it is stopped at once."""
    project, row = _wanted(call, may.DEVELOPER)
    environments.stop(call.instance.pipelines, project.id, row.name, force=call.boolean("force"))
    call.audit("stop environment", f"{project.full_path}: {row.name}")
    return call.json(_now(call, project, row.name))


async def stop_stale(call: Call) -> Response:
    """Stops all that has been deployed to last before a date."""
    project = call.project(may.MAINTAINER)
    call.required("before")
    now = datetime.now(UTC)
    before = _date(call.text("before"))
    if before is None or not now - timedelta(days=3653) <= before <= now - timedelta(days=7):
        raise because(400, "Invalid Date")
    for found in call.instance.store.possessions(project.id, Environment):
        last = last_success(call.instance.store, project.id, found.name)
        if found.state == "available" and last is not None and last.created_at < before.timestamp():
            environments.stop(call.instance.pipelines, project.id, found.name)
    call.audit("stop stale environments", project.full_path)
    return call.json({"message": "Successfully requested stop for all stale environments"})


async def delete(call: Call) -> Response:
    project, row = _wanted(call, may.DEVELOPER)
    if row.state != "stopped":
        raise because(403, "Environment is not stopped")
    call.instance.store.dispossess(project.id, Environment, row.name)
    call.audit("delete environment", f"{project.full_path}: {row.name}")
    return Response(status_code=204)


async def delete_review_apps(call: Call) -> Response:
    """Deletes the stopped environments below `review/` that are older; by default only says which."""
    project = call.project(may.DEVELOPER)
    before = _date(call.text("before")) if call.given("before") else datetime.now(UTC) - REVIEW_AGE
    if before is None:
        raise wrong_parameter("before is invalid")
    limit = call.integer("limit") or 100
    if not 1 <= limit <= 1000:
        raise wrong_parameter("limit does not have a valid value")
    query = sa.select(t.environments).where(
        t.environments.c.project_id == project.id,
        t.environments.c.state == "stopped",
        t.environments.c.name.like("review/%"),
        t.environments.c.created_at < before.timestamp(),
    )
    rows = call.instance.database.all(query.order_by(t.environments.c.id).limit(limit))
    if call.given("dry_run") and not call.boolean("dry_run"):
        for row in rows:
            call.instance.store.dispossess(project.id, Environment, row.name)
        call.audit("delete review apps", project.full_path)
    return call.json({"scheduled_entries": [basic(row) for row in rows], "unprocessable_entries": []})


def _date(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _wanted(call: Call, level: int) -> tuple[Any, Any]:
    project = call.project(level)
    query = sa.select(t.environments).where(t.environments.c.id == call.number("environment_id"))
    row = call.instance.database.one(query)
    if row is None or row.project_id != project.id:
        raise no_record()
    return project, row


def _now(call: Call, project: Any, name: str) -> shapes.Shape:
    """The environment as it is after the call."""
    own = (t.environments.c.project_id == project.id) & (t.environments.c.name == name)
    row = call.instance.database.one(sa.select(t.environments).where(own))
    return environment_shape(row) | {"project": shapes.project_id(call, project)}


_ONE = "/projects/{id}/environments/{environment_id}"
_ALL = "/projects/{id}/environments"
_CHANGED = (
    "external_url tier:production|staging|testing|development|other description "
    "auto_stop_setting:always|with_action"
)
ENDPOINTS = [
    Endpoint(
        "GET",
        _ALL,
        list_environments,
        takes="name search states:available|stopping|stopped page:int per_page:int",
        gives="[Environment]",
    ),
    Endpoint("POST", _ALL, create, takes=f"name! {_CHANGED}", gives="Environment"),
    Endpoint("POST", _ALL + "/stop_stale", stop_stale, takes="before!", gives="Message", status=200),
    Endpoint(
        "DELETE",
        _ALL + "/review_apps",
        delete_review_apps,
        takes="before limit:int dry_run:bool",
        gives="hash",
        status=200,
    ),
    Endpoint("GET", _ONE, show_environment, gives="Environment"),
    Endpoint("PUT", _ONE, update, takes=_CHANGED, gives="Environment"),
    Endpoint("POST", _ONE + "/stop", stop, takes="force:bool", gives="Environment", status=200),
    Endpoint("DELETE", _ONE, delete, gives="-"),
]
