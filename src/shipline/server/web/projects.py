"""The projects that somebody sees."""

from __future__ import annotations

from starlette.responses import Response

from shipline.server.api import projects as api
from shipline.server.http.answers import refusal
from shipline.server.web.page import Page


async def index(page: Page) -> Response:
    if page.caller is None:
        raise refusal(401)
    found = await page.ask(api.list_projects, {"per_page": 100, "order_by": "last_activity_at"})
    return page.show("projects.html", projects=found, url=page.instance.settings.url)


async def show(page: Page) -> Response:
    """A project's address shows its pipelines."""
    project = await page.ask(api.show_project, id=page.project)
    return page.go(f"/{project['path_with_namespace']}/-/pipelines")
