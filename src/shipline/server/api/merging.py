"""/projects/:id/merge_requests/:iid: merging, now or later, and who approves."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from starlette.responses import Response

from shipline.engine.git import GitError
from shipline.engine.states import COMPLETED
from shipline.server import permissions as may
from shipline.server.accepting import Conflict, accept
from shipline.server.api import shapes
from shipline.server.api.merge_requests import ONE, shown, wanted
from shipline.server.git import content
from shipline.server.git.merging import fits
from shipline.server.git.pushes import Change, forbidden, forbids_rewriting, pushed
from shipline.server.git.rebasing import rebase
from shipline.server.git.writing import Person
from shipline.server.http.answers import because, refusal, time_text
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint
from shipline.server.merge_requests import Wish, facts_of, is_draft


async def merge(call: Call) -> Response:
    """PUT merge: at once; with `auto_merge`, as soon as the newest pipeline has succeeded."""
    project, row = wanted(call)
    instance, user, facts = call.instance, call.user(), facts_of(row)
    if not instance.projects.may_merge(project, user, row.target_branch):
        raise refusal(401)
    if row.state != "opened" or is_draft(row.title) or row.sha == facts.base:
        raise refusal(405)
    if call.given("sha") and call.text("sha") != row.sha:
        raise refusal(409, f"SHA does not match HEAD of source branch: {row.sha}")
    wish = Wish(
        user_id=user.user_id,
        sha=row.sha,
        message=call.text("merge_commit_message"),
        squash=call.boolean("squash", facts.squash),
        squash_message=call.text("squash_commit_message"),
        remove_source_branch=call.boolean("should_remove_source_branch", facts.remove_source_branch),
    )
    if call.boolean("merge_when_pipeline_succeeds") or call.boolean("auto_merge"):
        pipeline = instance.merge_requests.head_pipeline(row)
        status = pipeline.status if pipeline is not None else "failed"
        if status != "success" and status in COMPLETED:
            raise refusal(405)
        if status != "success":
            await _mergeable(project, row)
            instance.merge_requests.change(row, {"when_succeeded": wish})
            call.audit("merge when the pipeline succeeds", f"{project.full_path}!{row.iid}")
            return await shown(call, project, instance.merge_requests.by_id(row.id))
    try:
        await accept(instance, project, user, row, wish)
    except Conflict as conflict:
        raise refusal(409 if conflict.moved else 422, str(conflict)) from None
    call.audit("merge", f"{project.full_path}!{row.iid}")
    return await shown(call, project, instance.merge_requests.by_id(row.id))


async def _mergeable(project: Any, row: Any) -> None:
    """422 where the two branches conflict."""

    def fitting() -> str | None:
        path = Path(project.path)
        target = content.resolve(path, f"refs/heads/{row.target_branch}")
        return fits(path, target, row.sha) if target is not None else None

    if await asyncio.to_thread(fitting) is None:
        raise refusal(422, "Branch cannot be merged")


async def cancel_merge(call: Call) -> Response:
    """POST cancel_merge_when_pipeline_succeeds: for who asked for it, and who may merge."""
    project, row = wanted(call)
    wish, user = facts_of(row).when_succeeded, call.user()
    own = wish is not None and wish.user_id == user.user_id
    if not own and not call.instance.projects.may_merge(project, user, row.target_branch):
        raise refusal(401)
    if wish is None:
        raise refusal(406, "406 Not Acceptable")
    call.instance.merge_requests.change(row, {"when_succeeded": None})
    return await shown(call, project, call.instance.merge_requests.by_id(row.id), 201)


async def rebase_it(call: Call) -> Response:
    """PUT rebase: its commits are put on the target branch. It is done when the answer is given, but for GitLab's
    clients it goes on; where a commit does not fit, `merge_error` says so."""
    project, row = wanted(call)
    instance, user = call.instance, call.user()
    change = Change(row.sha, row.sha, f"refs/heads/{row.source_branch}")
    if forbidden(instance, project, user, [change]) or forbids_rewriting(instance, project, [change]):
        raise because(403, "Cannot push to source branch")
    if row.state != "opened":
        raise refusal(405)
    path, who = Path(project.path), Person(user.name, user.email)
    try:
        onto = await asyncio.to_thread(content.resolve, path, f"refs/heads/{row.target_branch}")
        head = await asyncio.to_thread(rebase, path, row.source_branch, row.sha, onto or row.sha, who)
    except GitError:
        raise refusal(409, "The source branch has moved meanwhile") from None
    if head is None:
        error = "Rebase failed: Rebase locally, resolve all conflicts, then push the branch."
        instance.merge_requests.change(row, {"merge_error": error})
    elif head != row.sha:
        options = ["ci.skip"] if call.boolean("skip_ci") else []
        await pushed(instance, project, user, [Change(row.sha, head, f"refs/heads/{row.source_branch}")], options)
        call.audit("rebase", f"{project.full_path}!{row.iid}")
    return call.json({"rebase_in_progress": True}, 202)


async def approvals(call: Call) -> Response:
    _, row = wanted(call)
    return call.json(_approvals(call, row))


async def approve(call: Call) -> Response:
    """For developers; once each, and only of the commit that `sha` names where it is given."""
    _, row = wanted(call, may.DEVELOPER)
    given, user = facts_of(row).approved_by, call.user()
    if call.given("sha") and call.text("sha") != row.sha:
        raise refusal(409, f"SHA does not match HEAD of source branch: {row.sha}")
    if row.state != "opened" or user.user_id in given:
        raise refusal(401)
    return _approved(call, row, given | {user.user_id: time.time()})


async def unapprove(call: Call) -> Response:
    _, row = wanted(call, may.DEVELOPER)
    given, user = facts_of(row).approved_by, call.user()
    if user.user_id not in given:
        raise refusal(404)
    return _approved(call, row, {number: at for number, at in given.items() if number != user.user_id})


def _approved(call: Call, row: Any, by: dict[int, float]) -> Response:
    call.instance.merge_requests.change(row, {"approved_by": by})
    return call.json(_approvals(call, call.instance.merge_requests.by_id(row.id)), 201)


def _approvals(call: Call, row: Any) -> shapes.Shape:
    given = facts_of(row).approved_by
    own = call.caller is not None and call.caller.user_id in given
    project = call.instance.projects.by_id(row.project_id)
    able = call.instance.projects.level(project, call.caller) >= may.DEVELOPER
    return {
        "id": row.id,
        "iid": row.iid,
        "project_id": row.project_id,
        "title": row.title,
        "description": facts_of(row).description,
        "state": row.state,
        "created_at": time_text(row.created_at),
        "updated_at": time_text(row.updated_at),
        "user_has_approved": own,
        "user_can_approve": able and not own and row.state == "opened",
        "approved": bool(given),
        "approved_by": [
            {"user": shapes.user_of(call, number), "approved_at": time_text(at)} for number, at in given.items()
        ],
    }


_MERGED = (
    "merge_commit_message squash_commit_message squash:bool should_remove_source_branch:bool sha auto_merge:bool "
    "merge_when_pipeline_succeeds:bool"
)
ENDPOINTS = [
    Endpoint("PUT", ONE + "/merge", merge, takes=_MERGED, gives="MergeRequest"),
    Endpoint("POST", ONE + "/cancel_merge_when_pipeline_succeeds", cancel_merge, gives="MergeRequest"),
    Endpoint("PUT", ONE + "/rebase", rebase_it, takes="skip_ci:bool", gives="Rebase", status=202),
    Endpoint("GET", ONE + "/approvals", approvals, gives="Approvals"),
    Endpoint("POST", ONE + "/approve", approve, takes="sha", gives="Approvals"),
    Endpoint("POST", ONE + "/unapprove", unapprove, gives="Approvals"),
]
