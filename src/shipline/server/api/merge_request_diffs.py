"""/projects/:id/merge_requests/:iid: what one changes, and the versions of that."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from starlette.responses import Response

from shipline.engine.git import GitCall
from shipline.server.api import commits, merge_request_shapes
from shipline.server.api.merge_requests import ONE, wanted
from shipline.server.api.shapes import Shape
from shipline.server.git import content
from shipline.server.git import reading as git
from shipline.server.http.answers import no_record, time_text
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged
from shipline.server.http.routes import Endpoint
from shipline.server.merge_requests import facts_of


async def changes(call: Call) -> Response:
    project, row = wanted(call)
    shape = await merge_request_shapes.whole(call, project, row)
    return call.json(shape | {"changes": await _diffs(project, row), "overflow": False})


async def diffs(call: Call) -> Response:
    project, row = wanted(call)
    return paged(call, await _diffs(project, row), lambda item: item)


async def raw_diffs(call: Call) -> Response:
    """What `git apply` takes."""
    project, row = wanted(call)
    pair = [facts_of(row).base, row.sha] if facts_of(row).base else ["--root", row.sha]
    words = ["diff-tree", "-r", "-p", "--no-commit-id", "-M", "--full-index", "--binary", "--no-color", *pair, "--"]
    out = await asyncio.to_thread(GitCall(Path(project.path), *words).output)
    return Response(out, media_type="text/plain")


async def versions(call: Call) -> Response:
    """Only the newest version is kept; it has the merge request's own number."""
    project, row = wanted(call)
    return paged(call, [_version(row, await _diffs(project, row))], lambda item: item)


async def version(call: Call) -> Response:
    project, row = wanted(call)
    if call.number("version_id") != row.id:
        raise no_record()
    found = await _diffs(project, row)
    between = f"{facts_of(row).base}..{row.sha}" if facts_of(row).base else row.sha
    own = await asyncio.to_thread(git.commits, Path(project.path), between)
    told = [commits.commit(call, item, project.full_path) for item in own]
    return call.json(_version(row, found) | {"commits": told, "diffs": found})


def _version(row: Any, found: list[Shape]) -> Shape:
    facts = facts_of(row)
    return {
        "id": row.id,
        "head_commit_sha": row.sha,
        "base_commit_sha": facts.base or None,
        "start_commit_sha": facts.start or None,
        "created_at": time_text(row.created_at),
        "merge_request_id": row.id,
        "state": "collected" if found else "empty",
        "real_size": str(len(found)),
        "patch_id_sha": None,
    }


async def _diffs(project: Any, row: Any) -> list[Shape]:
    found = await asyncio.to_thread(content.differences, Path(project.path), facts_of(row).base or None, row.sha)
    return [commits.diff_shape(item) for item in found]


ENDPOINTS = [
    Endpoint("GET", ONE + "/changes", changes, gives="MergeRequest"),
    Endpoint("GET", ONE + "/diffs", diffs, takes=PAGE, gives="[Diff]"),
    Endpoint("GET", ONE + "/raw_diffs", raw_diffs, gives="text"),
    Endpoint("GET", ONE + "/versions", versions, takes=PAGE, gives="[DiffVersion]"),
    Endpoint("GET", ONE + "/versions/{version_id}", version, gives="DiffVersionDetail"),
]
