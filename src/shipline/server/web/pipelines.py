"""A project's pipelines, one pipeline with its jobs, and what can be done with them."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from shipline.server.api import jobs as jobs_api
from shipline.server.api import pipelines as api
from shipline.server.api import projects as projects_api
from shipline.server.creation import Order
from shipline.server.http.answers import refusal
from shipline.server.http.call import Call
from shipline.server.permissions import DEVELOPER, MAINTAINER
from shipline.server.web.page import Page, missing

ACTIONS = {"retry": api.retry, "cancel": api.cancel}


async def index(page: Page) -> Response:
    project = await page.ask(projects_api.show_project, id=page.project)
    number = str(project["id"])
    at = page.request.query_params.get("page", "1")
    wanted = {"per_page": 20, "page": int(at) if at.isdigit() else 1}
    found = await page.ask(api.list_pipelines, wanted, id=number)
    return page.show(
        "pipelines.html",
        project=project,
        pipelines=found,
        at=wanted["page"],
        more=len(found) == wanted["per_page"],
        may_run=_level(page, number) >= DEVELOPER,
        may_change=_level(page, number) >= MAINTAINER,
    )


async def reset_cache(page: Page) -> Response:
    """Clear runner caches."""
    await page.ask(projects_api.reset_cache, id=page.project)
    return page.go(f"/{page.project}/-/pipelines", "Runners find none of the project's caches any more.")


async def create(page: Page) -> Response:
    """Run pipeline: for a branch or tag, with variables `NAME=value`, one a line."""
    lines = [line for line in page.values.get("variables", "").splitlines() if line.strip()]
    given: list[dict[str, Any]] = []
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals:
            raise refusal(400, f"Variables are written NAME=value, one a line: '{line}' is not.")
        given.append({"key": key.strip(), "value": value})
    made = await page.ask(_run, {"ref": page.values.get("ref", "").strip(), "variables": given}, id=page.project)
    return page.go(f"/{page.project}/-/pipelines/{made['id']}")


async def _run(call: Call) -> Response:
    """What the API does, in the page's name."""
    project = call.project(DEVELOPER)
    variables = api.given_variables(call.listed("variables"))
    ref = call.text("ref") or project.default_branch
    return await api.created(
        call, Order(project=project, ref=ref, caller=call.user(), variables=variables, source="web")
    )


async def show(page: Page) -> Response:
    project = await page.ask(projects_api.show_project, id=page.project)
    place = {"id": str(project["id"]), "pipeline_id": page.path["pipeline_id"]}
    pipeline = await page.ask(api.show_pipeline, None, **place)
    jobs = await page.ask(jobs_api.list_jobs_of_pipeline, {"per_page": 100, "include_retried": False}, **place)
    bridges = await page.ask(jobs_api.list_bridges, {"per_page": 100}, **place)
    stages: dict[str, list[dict[str, Any]]] = {}
    for job in sorted([*jobs, *bridges], key=lambda job: int(job["id"])):
        stages.setdefault(job["stage"], []).append(job)
    return page.show(
        "pipeline.html",
        project=project,
        pipeline=pipeline,
        stages=stages,
        may_run=_level(page, place["id"]) >= DEVELOPER,
    )


async def act(page: Page) -> Response:
    """Retry or cancel."""
    handler = ACTIONS.get(page.path["action"])
    if handler is None:
        raise missing()
    number = page.path["pipeline_id"]
    await page.ask(handler, id=page.project, pipeline_id=number)
    return page.go(f"/{page.project}/-/pipelines/{number}")


def _level(page: Page, number: str) -> int:
    return page.instance.projects.level(page.instance.projects.find(number), page.caller)
