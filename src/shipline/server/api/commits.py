"""/projects/:id/repository/commits: list, show, make, pick, revert, compare."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.engine.git import GitCall, GitError
from shipline.engine.git import git as run_git
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.git import content
from shipline.server.git import reading as git
from shipline.server.git.writing import Person, commit_tree, picked
from shipline.server.http.answers import Refusal, no_such, refusal, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged, uncounted, window
from shipline.server.http.routes import Endpoint
from shipline.server.merge_requests import facts_of
from shipline.server.permissions import visible_to_all


def reading_code(call: Call) -> int:
    """The level that reading the repository takes: being able to see an open project is enough, else a
    reporter's."""
    return may.NO_ACCESS if visible_to_all(call.project(), call.caller) else may.REPORTER


async def list_commits(call: Call) -> Response:
    project = call.project(reading_code(call))
    path, ref = Path(project.path), call.text("ref_name") or project.default_branch
    sha = await asyncio.to_thread(content.resolve, path, ref)
    if sha is None and not call.boolean("all"):
        if call.given("ref_name"):
            raise no_such("Commit")
        return paged(call, [], lambda item: item)
    skip, limit = window(call)
    arguments = [f"--skip={skip}", f"-{limit}"]
    for name in ("since", "until", "author"):
        if value := call.text(name):
            arguments.append(f"--{name}={value}")
    arguments += ["--first-parent"] if call.boolean("first_parent") else []
    arguments += ["--topo-order"] if call.text("order") == "topo" else []
    arguments += ["--branches", "--tags"] if call.boolean("all") or sha is None else [sha]
    below = [call.text("path")] if call.given("path") else []
    try:
        found = await asyncio.to_thread(git.commits, path, *arguments, below=below)
    except GitError:
        found = []
    stats: dict[str, shapes.Shape] = {}
    if call.boolean("with_stats"):
        stats = {item.sha: await _stats(path, item.sha) for item in found[: limit - 1]}

    def shape(item: git.GitCommit) -> shapes.Shape:
        own = {"stats": stats[item.sha]} if item.sha in stats else {}
        return commit(call, item, project.full_path) | own

    return uncounted(call, lambda *_: found, shape)


async def show(call: Call) -> Response:
    project = call.project(reading_code(call))
    return call.json(await detailed(call, project, await wanted(call, project)))


async def detailed(call: Call, project: Any, found: git.GitCommit) -> shapes.Shape:
    """A commit with its size and its last pipeline."""
    shape = commit(call, found, project.full_path)
    if call.boolean("stats", True):
        shape["stats"] = await _stats(Path(project.path), found.sha)
    query = sa.select(t.pipelines).where(t.pipelines.c.sha == found.sha, t.pipelines.c.project_id == project.id)
    last = call.instance.database.one(query.order_by(t.pipelines.c.id.desc()).limit(1))
    return shape | {
        "status": last.status if last is not None else None,
        "project_id": project.id,
        "last_pipeline": shapes.pipeline_basic(call, last, project.full_path) if last is not None else None,
    }


async def show_diff(call: Call) -> Response:
    project = call.project(reading_code(call))
    found = await wanted(call, project)
    parent = found.parents[0] if found.parents else None
    differences = await asyncio.to_thread(content.differences, Path(project.path), parent, found.sha)
    return paged(call, differences, diff_shape)


async def list_refs(call: Call) -> Response:
    project = call.project(reading_code(call))
    found = await wanted(call, project)
    kinds = {"branch": "refs/heads/", "tag": "refs/tags/"}
    asked = call.text("type") or "all"
    refs = []
    for kind, prefix in kinds.items():
        if asked in (kind, "all"):
            words = ("for-each-ref", "--format=%(refname)", f"--contains={found.sha}", prefix)
            out = await asyncio.to_thread(run_git, Path(project.path), *words)
            refs += [{"type": kind, "name": name.removeprefix(prefix)} for name in out.split()]
    return paged(call, refs, lambda ref: ref)


async def sequence(call: Call) -> Response:
    project = call.project(reading_code(call))
    found = await wanted(call, project)
    first = call.boolean("first_parent")
    number = await asyncio.to_thread(content.count, Path(project.path), found.sha, first_parent=first)
    return call.json({"count": number})


async def signature(call: Call) -> Response:
    await wanted(call, call.project(reading_code(call)))
    raise no_such("Signature")


async def merge_requests(call: Call) -> Response:
    """Those whose branch brings the commit."""
    from shipline.server.api.merge_request_shapes import basic

    project = call.project(reading_code(call))
    sha = (await wanted(call, project)).sha
    path = Path(project.path)
    heads = ("for-each-ref", "--format=%(refname)", f"--contains={sha}", "refs/merge-requests/")
    names = (await asyncio.to_thread(run_git, path, *heads)).splitlines()
    rows = [call.instance.merge_requests.find(project.id, int(name.split("/")[2])) for name in names]
    found = [row for row in rows if row is not None and not _has(path, facts_of(row).base, sha)]
    return paged(call, found, lambda row: basic(call, project, row))


def _has(path: Path, commit: str, sha: str) -> bool:
    """Whether a commit's history has another."""
    out = GitCall(path, "merge-base", "--is-ancestor", sha, commit).output(missing=b"no") if commit else b"no"
    return out != b"no"


async def cherry_pick(call: Call) -> Response:
    return await _picked(call, back=False)


async def revert(call: Call) -> Response:
    return await _picked(call, back=True)


async def _picked(call: Call, *, back: bool) -> Response:
    from shipline.server.api.written import put_on_branch

    project = call.project(may.DEVELOPER)
    path, branch = Path(project.path), call.filled("branch")
    found = await wanted(call, project)
    tip = await asyncio.to_thread(content.resolve, path, f"refs/heads/{branch}")
    if tip is None:
        raise no_such("Branch")
    what = "revert" if back else "cherry-pick"
    failed = f"Sorry, we cannot {what} this commit automatically. "
    if not found.parents:
        raise Refusal(400, {"message": failed + "It has no parent.", "error_code": "conflict"})
    tree = await asyncio.to_thread(picked, path, tip, found.sha, found.parents[0], back=back)
    if tree is None:
        raise Refusal(400, {"message": failed + "There is a conflict.", "error_code": "conflict"})
    if tree == GitCall(path, "rev-parse", f"{tip}^{{tree}}").output().decode().strip():
        raise Refusal(400, {"message": failed + "It is already there.", "error_code": "empty"})
    if call.boolean("dry_run"):
        return call.json({"dry_run": "success"})
    user, title = call.user(), found.message.partition("\n")[0]
    reverting = f'Revert "{title}"\n\nThis reverts commit {found.sha}'
    message = call.text("message") or (reverting if back else found.message)
    person = Person(user.name, user.email)
    author = person if back else Person(found.author_name, found.author_email)
    made = await asyncio.to_thread(commit_tree, path, tree, [tip], message, author, person)
    await put_on_branch(call, project, branch, tip, made)
    new = await asyncio.to_thread(git.commit, path, made)
    return call.json(commit(call, new, project.full_path), 201)


async def compare(call: Call) -> Response:
    project = call.project(reading_code(call))
    path = Path(project.path)
    old = await asyncio.to_thread(content.resolve, path, call.filled("from"))
    new = await asyncio.to_thread(content.resolve, path, call.filled("to"))
    if old is None or new is None:
        raise no_such("Ref")
    base = old if call.boolean("straight") else await asyncio.to_thread(content.merge_base, path, [old, new])
    found = await asyncio.to_thread(git.commits, path, "--reverse", f"{old}..{new}")
    differences = await asyncio.to_thread(content.differences, path, base, new) if base != new else []
    shaped = [commit(call, item, project.full_path) for item in found]
    return call.json(
        {
            "commit": shaped[-1] if shaped else None,
            "commits": shaped,
            "diffs": [diff_shape(item) for item in differences],
            "compare_timeout": False,
            "compare_same_ref": old == new,
            "web_url": f"{shapes.base(call)}/{project.full_path}/-/compare/{call.text('from')}...{call.text('to')}",
        }
    )


async def merge_base(call: Call) -> Response:
    project = call.project(reading_code(call))
    refs = [str(ref) for ref in call.listed("refs")]
    if len(refs) < 2:
        raise refusal(400, "Provide at least 2 refs")
    shas = [await asyncio.to_thread(content.resolve, Path(project.path), ref) for ref in refs]
    missing = [ref for ref, sha in zip(refs, shas, strict=True) if sha is None]
    if missing:
        raise refusal(400, f"Could not find ref: {missing[0]}")
    base = await asyncio.to_thread(content.merge_base, Path(project.path), [sha for sha in shas if sha])
    found = await asyncio.to_thread(git.commit, Path(project.path), base) if base else None
    if found is None:
        raise no_such("Merge Base")
    return call.json(commit(call, found, project.full_path))


async def wanted(call: Call, project: Any) -> git.GitCommit:
    """The commit that the path names."""
    found = await asyncio.to_thread(git.commit, Path(project.path), call.path["sha"])
    if found is None:
        raise no_such("Commit")
    return found


async def _stats(path: Path, sha: str) -> shapes.Shape:
    added, removed = await asyncio.to_thread(git.diff_stats, path, sha)
    return {"additions": added, "deletions": removed, "total": added + removed}


def diff_shape(item: content.Difference) -> shapes.Shape:
    return {
        "diff": item.text,
        "collapsed": False,
        "too_large": item.too_large,
        "new_path": item.new_path,
        "old_path": item.old_path,
        "a_mode": item.old_mode,
        "b_mode": item.new_mode,
        "new_file": item.status == "A",
        "renamed_file": item.status == "R",
        "deleted_file": item.status == "D",
        "generated_file": None,
    }


def commit(call: Call, item: git.GitCommit | None, full_path: str) -> dict[str, Any]:
    """A commit as GitLab tells of one."""
    if item is None:
        raise wrong_parameter("sha is invalid")
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


_BASE = "/projects/{id}/repository"
_ALL = _BASE + "/commits"
_ONE = _ALL + "/{sha}"
_LISTED = (
    "ref_name since:ts until:ts path author all:bool with_stats:bool first_parent:bool order:default|topo "
    f"trailers:bool {PAGE}"
)
_PICKED = "branch! dry_run:bool message"
ENDPOINTS = [
    Endpoint("GET", _ALL, list_commits, takes=_LISTED, gives="[Commit]"),
    Endpoint("GET", _ONE, show, takes="stats:bool", gives="CommitDetail"),
    Endpoint("GET", _ONE + "/diff", show_diff, takes=f"unidiff:bool {PAGE}", gives="[Diff]"),
    Endpoint("GET", _ONE + "/refs", list_refs, takes=f"type:branch|tag|all {PAGE}", gives="[Ref]"),
    Endpoint("GET", _ONE + "/sequence", sequence, takes="first_parent:bool", gives="Count"),
    Endpoint("GET", _ONE + "/signature", signature, gives="hash"),
    Endpoint("GET", _ONE + "/merge_requests", merge_requests, takes=PAGE, gives="[hash]"),
    Endpoint("POST", _ONE + "/cherry_pick", cherry_pick, takes=_PICKED, gives="Commit"),
    Endpoint("POST", _ONE + "/revert", revert, takes=_PICKED, gives="Commit"),
    Endpoint("GET", _BASE + "/compare", compare, takes="from! to! straight:bool", gives="Compare"),
    Endpoint("GET", _BASE + "/merge_base", merge_base, takes="refs!:list", gives="Commit"),
]
