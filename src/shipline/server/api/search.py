"""/search, as far as projects go; and who has made the commits of a project."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import sqlalchemy as sa
from starlette.responses import Response

from shipline.engine.git import GitCall
from shipline.server import tables as t
from shipline.server.api import projects
from shipline.server.api.commits import reading_code
from shipline.server.api.shapes import Shape
from shipline.server.git import content
from shipline.server.http.answers import no_such
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged
from shipline.server.http.routes import Endpoint

LINE = re.compile(r"\s*(\d+)\t(.*) <(.*)>")


async def search(call: Call) -> Response:
    """GET /search: the projects whose names hold the text."""
    call.user()
    return projects.page_of(call, sa.select(t.projects).where(call.instance.projects.readable(call.caller)))


async def contributors(call: Call) -> Response:
    """GET contributors: a person for each name and address, with the number of commits."""
    project = call.project(reading_code(call))
    path, ref = Path(project.path), call.text("ref") or "HEAD"
    sha = await asyncio.to_thread(content.resolve, path, ref)
    if sha is None:
        if call.given("ref"):
            raise no_such("Commit")
        return paged(call, [], lambda item: item)
    out = await asyncio.to_thread(GitCall(path, "shortlog", "-sne", sha, "--").output)
    found: list[Shape] = [
        {"name": match[2], "email": match[3], "commits": int(match[1]), "additions": 0, "deletions": 0}
        for match in map(LINE.match, out.decode(errors="replace").splitlines())
        if match is not None
    ]
    by = call.text("order_by") or "commits"
    found.sort(key=lambda each: (each[by], each["email"]), reverse=call.text("sort") == "desc")
    return paged(call, found, lambda item: item)


ENDPOINTS = [
    Endpoint("GET", "/search", search, takes=f"scope!:projects search! {PAGE}", gives="[ProjectBasic]"),
    Endpoint(
        "GET",
        "/projects/{id}/repository/contributors",
        contributors,
        takes=f"ref order_by:name|email|commits sort:asc|desc {PAGE}",
        gives="[Contributor]",
    ),
]
