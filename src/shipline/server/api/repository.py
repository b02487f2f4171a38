"""/projects/:id/repository: branches and tags, made and deleted too, with the pipelines that this starts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.responses import Response

from shipline.engine.git import GitError
from shipline.engine.git import git as run_git
from shipline.engine.repository import NO_SHA
from shipline.server import permissions as may
from shipline.server.api import shapes
from shipline.server.api.commits import commit, reading_code
from shipline.server.git import reading as git
from shipline.server.git.pushes import Change, forbidden, pushed
from shipline.server.http.answers import because, no_such, refusal
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, on_page, paged
from shipline.server.http.routes import Endpoint


async def list_branches(call: Call) -> Response:
    project = call.project(reading_code(call))
    found = await asyncio.to_thread(git.branches, Path(project.path))
    searched = _searched(call, found)
    known = await _commits(project, on_page(call, searched))
    return paged(call, searched, lambda ref: _branch(call, project, ref, known))


async def show_branch(call: Call) -> Response:
    project = call.project(reading_code(call))
    ref = await _wanted(call, project, "branch")
    return call.json(_branch(call, project, ref, await _commits(project, [ref])))


async def create_branch(call: Call) -> Response:
    project = call.project(may.DEVELOPER)
    name, ref = call.filled("branch"), call.filled("ref")
    if any(known.name == name for known in await asyncio.to_thread(git.branches, Path(project.path))):
        raise refusal(400, "Branch already exists")
    await _make(call, project, "branch", f"refs/heads/{name}", ref)
    call.path["branch"] = name
    made = await _wanted(call, project, "branch")
    return call.json(_branch(call, project, made, await _commits(project, [made])), 201)


async def delete_branch(call: Call) -> Response:
    project = call.project(may.DEVELOPER)
    ref = await _wanted(call, project, "branch")
    await _delete(call, project, Change(ref.sha, NO_SHA, f"refs/heads/{ref.name}"))
    return Response(status_code=204)


async def delete_merged(call: Call) -> Response:
    """Removes the branches that are wholly in the default branch, but for protected ones."""
    project = call.project(may.DEVELOPER)
    path = Path(project.path)
    words = ("for-each-ref", "--format=%(refname:short)", f"--merged=refs/heads/{project.default_branch}")
    try:
        merged = (await asyncio.to_thread(run_git, path, *words, "refs/heads/")).split()
    except GitError:
        merged = []
    for ref in await asyncio.to_thread(git.branches, path):
        kept = ref.name == project.default_branch or call.instance.projects.protection(
            project.id, "branch", ref.name
        )
        if ref.name in merged and not kept:
            await _delete(call, project, Change(ref.sha, NO_SHA, f"refs/heads/{ref.name}"))
    return call.json({"message": "202 Accepted"}, 202)


async def list_tags(call: Call) -> Response:
    project = call.project(reading_code(call))
    found = await asyncio.to_thread(git.tags, Path(project.path))
    searched = _searched(call, found)
    known = await _commits(project, on_page(call, searched))
    return paged(call, searched, lambda ref: _tag(call, project, ref, known))


async def show_tag(call: Call) -> Response:
    project = call.project(reading_code(call))
    ref = await _wanted(call, project, "tag")
    return call.json(_tag(call, project, ref, await _commits(project, [ref])))


async def create_tag(call: Call) -> Response:
    project = call.project(may.DEVELOPER)
    name, ref = call.filled("tag_name"), call.filled("ref")
    if any(known.name == name for known in await asyncio.to_thread(git.tags, Path(project.path))):
        raise refusal(400, f"Tag {name} already exists")
    await _make(call, project, "tag", f"refs/tags/{name}", ref, call.text("message"))
    call.path["tag"] = name
    made = await _wanted(call, project, "tag")
    return call.json(_tag(call, project, made, await _commits(project, [made])), 201)


async def delete_tag(call: Call) -> Response:
    project = call.project(may.DEVELOPER)
    ref = await _wanted(call, project, "tag")
    await _delete(call, project, Change(ref.target, NO_SHA, f"refs/tags/{ref.name}"))
    return Response(status_code=204)


async def _make(call: Call, project: Any, kind: str, full: str, ref: str, message: str = "") -> None:
    path = Path(project.path)
    target = await asyncio.to_thread(git.commit, path, ref)
    if target is None:
        raise refusal(400, f"Invalid reference name: {ref}" if kind == "branch" else f"Target {ref} is invalid")
    change = Change(NO_SHA, target.sha, full)
    if why := forbidden(call.instance, project, call.user(), [change]):
        raise because(403, why)
    try:
        if message:
            user = call.user()
            signer = {"GIT_COMMITTER_NAME": user.name, "GIT_COMMITTER_EMAIL": user.email}
            words = ("tag", "-a", "-m", message, "--", change.name, target.sha)
            await asyncio.to_thread(run_git, path, *words, environment=signer)
        else:
            await asyncio.to_thread(run_git, path, "check-ref-format", full)
            await asyncio.to_thread(run_git, path, "update-ref", full, target.sha, "")
    except GitError:
        raise refusal(400, f"{kind.capitalize()} name is invalid") from None
    await pushed(call.instance, project, call.user(), [change], [])


async def _delete(call: Call, project: Any, change: Change) -> None:
    if why := forbidden(call.instance, project, call.user(), [change]):
        raise refusal(403, why)
    await asyncio.to_thread(run_git, Path(project.path), "update-ref", "-d", change.ref, change.before)
    await pushed(call.instance, project, call.user(), [change], [])


async def _wanted(call: Call, project: Any, kind: str) -> git.GitRef:
    listed = git.branches if kind == "branch" else git.tags
    for ref in await asyncio.to_thread(listed, Path(project.path)):
        if ref.name == call.path[kind]:
            return ref
    raise no_such(kind.capitalize())


def _searched(call: Call, refs: list[git.GitRef]) -> list[git.GitRef]:
    search = call.text("search")
    if search.startswith("^"):
        return [ref for ref in refs if ref.name.startswith(search[1:])]
    if search.endswith("$"):
        return [ref for ref in refs if ref.name.endswith(search[:-1])]
    return [ref for ref in refs if search.lower() in ref.name.lower()]


async def _commits(project: Any, refs: Sequence[git.GitRef]) -> dict[str, git.GitCommit]:
    return await asyncio.to_thread(git.commits_of, Path(project.path), refs)


def _branch(call: Call, project: Any, ref: git.GitRef, commits: dict[str, git.GitCommit]) -> shapes.Shape:
    rules = call.instance.projects.protection(project.id, "branch", ref.name)
    found = commits.get(ref.sha)
    return {
        "name": ref.name,
        "commit": commit(call, found, project.full_path) if found is not None else None,
        "merged": False,
        "protected": bool(rules),
        "developers_can_push": any(rule.push_level == may.DEVELOPER for rule in rules),
        "developers_can_merge": any(rule.merge_level == may.DEVELOPER for rule in rules),
        "can_push": call.instance.projects.may_push(project, call.caller, "branch", ref.name),
        "default": ref.name == project.default_branch,
        "web_url": f"{shapes.base(call)}/{project.full_path}/-/tree/{ref.name}",
    }


def _tag(call: Call, project: Any, ref: git.GitRef, commits: dict[str, git.GitCommit]) -> shapes.Shape:
    found = commits.get(ref.sha)
    return {
        "name": ref.name,
        "message": ref.message,
        "target": ref.target,
        "commit": commit(call, found, project.full_path) if found is not None else None,
        "release": None,
        "protected": bool(call.instance.projects.protection(project.id, "tag", ref.name)),
        "created_at": ref.created,
    }


_BRANCHES = "/projects/{id}/repository/branches"
_TAGS = "/projects/{id}/repository/tags"
_LISTED = f"search sort:asc|desc {PAGE}"
ENDPOINTS = [
    Endpoint("GET", _BRANCHES, list_branches, takes=_LISTED, gives="[Branch]"),
    Endpoint("POST", _BRANCHES, create_branch, takes="branch! ref!", gives="Branch"),
    Endpoint("GET", _BRANCHES + "/{branch}", show_branch, gives="Branch"),
    Endpoint("DELETE", _BRANCHES + "/{branch}", delete_branch, gives="-"),
    Endpoint("DELETE", "/projects/{id}/repository/merged_branches", delete_merged, gives="Message", status=202),
    Endpoint("GET", _TAGS, list_tags, takes=f"order_by:name|updated|version {_LISTED}", gives="[Tag]"),
    Endpoint("POST", _TAGS, create_tag, takes="tag_name! ref! message", gives="Tag"),
    Endpoint("GET", _TAGS + "/{tag}", show_tag, gives="Tag"),
    Endpoint("DELETE", _TAGS + "/{tag}", delete_tag, gives="-"),
]
