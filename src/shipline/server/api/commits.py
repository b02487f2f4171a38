"""/projects/:id/repository/commits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.engine.git import GitError
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.api.pipelines import reading
from shipline.server.git import reading as git
from shipline.server.http.answers import no_such
from shipline.server.http.call import Call
from shipline.server.http.paging import paged
from shipline.server.http.routes import Endpoint

MOST = 10_000
"""Commits of which a list tells; older ones are not looked for."""


async def list_commits(call: Call) -> Response:
    project = call.project(reading(call))
    ref = call.text("ref_name") or project.default_branch
    arguments = [f"-{MOST}"]
    for name in ("since", "until", "author"):
        if value := call.text(name):
            arguments.append(f"--{name}={value}")
    arguments += ["--first-parent"] if call.boolean("first_parent") else []
    arguments += ["--branches", "--tags"] if call.boolean("all") else [ref]
    if ref.startswith("-"):
        raise no_such("Commit")
    try:
        found = await asyncio.to_thread(git.commits, Path(project.path), *arguments)
    except GitError:
        found = []
    return paged(call, found, lambda item: commit(call, item, project.full_path))


async def show(call: Call) -> Response:
    project = call.project(reading(call))
    found = await asyncio.to_thread(git.commit, Path(project.path), call.path["sha"])
    if found is None:
        raise no_such("Commit")
    shape = commit(call, found, project.full_path)
    if call.boolean("stats", True):
        added, removed = await asyncio.to_thread(git.diff_stats, Path(project.path), found.sha)
        shape["stats"] = {"additions": added, "deletions": removed, "total": added + removed}
    query = sa.select(t.pipelines).where(t.pipelines.c.sha == found.sha, t.pipelines.c.project_id == project.id)
    last = call.instance.database.one(query.order_by(t.pipelines.c.id.desc()).limit(1))
    return call.json(
        shape
        | {
            "status": last.status if last is not None else None,
            "project_id": project.id,
            "last_pipeline": shapes.pipeline_basic(call, last, project.full_path) if last is not None else None,
        }
    )


def commit(call: Call, item: git.GitCommit, full_path: str) -> dict[str, Any]:
    """A commit as GitLab tells of one."""
    return {
        "id": item.sha,
        "short_id": item.sha[:8],
        "created_at": item.committed,
        "parent_ids": item.parents,
        "title": item.message.partition("\n")[0],
        "message": item.message,
        "author_name": item.author_name,
        "author_email": item.author_email,
        "authored_date": item.authored,
        "committer_name": item.committer_name,
        "committer_email": item.committer_email,
        "committed_date": item.committed,
        "trailers": {},
        "extended_trailers": {},
        "web_url": f"{shapes.base(call)}/{full_path}/-/commit/{item.sha}",
    }


ENDPOINTS = [
    Endpoint("GET", "/projects/{id}/repository/commits", list_commits),
    Endpoint("GET", "/projects/{id}/repository/commits/{sha}", show),
]
