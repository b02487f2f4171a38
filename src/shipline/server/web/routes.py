"""The table of pages."""

from __future__ import annotations

from collections.abc import Callable

from starlette.convertors import PathConvertor, register_url_convertor
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from shipline.server.instance import Instance
from shipline.server.web import accounts, jobs, merge_requests, pipelines, projects
from shipline.server.web.page import HEADERS, Page, missing, page_route, templates


class ProjectPath(PathConvertor):
    """A project's full path: what is not the beginning of another interface."""

    regex = r"(?!(?:api|users|oauth|jwt|pages|-|\.well-known)/)[^/].*?/[^/]+"


register_url_convertor("project", ProjectPath())
ASSETS = {"style.css": "text/css", "follow.js": "text/javascript", "icon.svg": "image/svg+xml"}

PAGES = [
    ("GET", "/", projects.index),
    ("GET", "/users/sign_in", accounts.sign_in_form),
    ("POST", "/users/sign_in", accounts.sign_in),
    ("POST", "/users/sign_out", accounts.sign_out),
    ("GET", "/-/user_settings/personal_access_tokens", accounts.tokens),
    ("POST", "/-/user_settings/personal_access_tokens", accounts.new_token),
    ("POST", "/-/user_settings/personal_access_tokens/{token_id}/revoke", accounts.revoke_token),
    ("GET", "/{project:path}/-/pipelines", pipelines.index),
    ("POST", "/{project:path}/-/pipelines", pipelines.create),
    ("POST", "/{project:path}/-/settings/ci_cd/reset_cache", pipelines.reset_cache),
    ("GET", "/{project:path}/-/pipelines/{pipeline_id}", pipelines.show),
    ("POST", "/{project:path}/-/pipelines/{pipeline_id}/{action}", pipelines.act),
    ("GET", "/{project:path}/-/merge_requests", merge_requests.index),
    ("GET", "/{project:path}/-/merge_requests/{iid}", merge_requests.show),
    ("POST", "/{project:path}/-/merge_requests/{iid}/{action}", merge_requests.act),
    ("GET", "/{project:path}/-/jobs/{job_id}", jobs.show),
    ("GET", "/{project:path}/-/jobs/{job_id}/events", jobs.events),
    ("POST", "/{project:path}/-/jobs/{job_id}/{action}", jobs.act),
]


async def asset(page: Page) -> Response:
    name = page.path["name"]
    if name not in ASSETS:
        raise missing()
    folder = templates().loader.searchpath[0]  # type: ignore[union-attr]
    return FileResponse(
        f"{folder}/{name}", media_type=ASSETS[name], headers=HEADERS | {"Cache-Control": "max-age=600"}
    )


def web_routes(instance: Callable[[], Instance]) -> list[Route]:
    """The pages, in the order in which addresses are looked up."""
    return [
        page_route("/-/assets/{name}", asset, instance),
        *(page_route(path, handler, instance, method=method) for method, path, handler in PAGES),
        page_route("/{project:project}", projects.show, instance),
    ]
