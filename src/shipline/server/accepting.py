"""Merging a merge request: at once, or when its pipeline has succeeded.

Who asked for the latter has said how, and for which commit; another commit on the branch takes the wish back. Every
process looks for what is due when a pipeline succeeds, and in each of its rounds; that only one merges is git's
doing: the branch moves once.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

from shipline.engine.git import GitError
from shipline.engine.git import git as run_git
from shipline.engine.records import JobRecord, PipelineRecord
from shipline.engine.repository import NO_SHA
from shipline.server.accounts import caller_of
from shipline.server.git import content
from shipline.server.git.merging import merge
from shipline.server.git.pushes import Change, forbidden, pushed
from shipline.server.git.writing import Person
from shipline.server.instance import Instance
from shipline.server.merge_requests import Wish, facts_of, is_draft
from shipline.server.permissions import Caller

log = logging.getLogger("shipline.server")


class Conflict(Exception):
    """It cannot be merged now. `moved`: only because the target branch has moved meanwhile."""

    def __init__(self, text: str, *, moved: bool = False) -> None:
        super().__init__(text)
        self.moved = moved


async def accept(instance: Instance, project: Any, caller: Caller, row: Any, wish: Wish) -> None:
    """Merges, with a merge commit as GitLab's default is; the target branch's pipelines start. Raises Conflict."""
    path, target = Path(project.path), f"refs/heads/{row.target_branch}"
    tip = await asyncio.to_thread(content.resolve, path, target)
    if tip is None:
        raise Conflict("Branch cannot be merged")
    names = f"Merge branch '{row.source_branch}' into '{row.target_branch}'"
    message = wish.message or f"{names}\n\n{row.title}\n\nSee merge request {project.full_path}!{row.iid}"
    squashed = (wish.squash_message or row.title) if wish.squash else None
    who = Person(caller.name, caller.email)
    base = facts_of(row).base
    try:
        made = await asyncio.to_thread(merge, path, row.target_branch, tip, row.sha, message, squashed, base, who)
    except GitError:
        raise Conflict("The target branch has moved meanwhile", moved=True) from None
    if made is None:
        raise Conflict("Branch cannot be merged")
    instance.merge_requests.merged(row, caller.user_id, merge_commit_sha=made.merge, squash_commit_sha=made.squash)
    await pushed(instance, project, caller, [Change(tip, made.merge, target)], [])
    if wish.remove_source_branch:
        await _remove_branch(instance, project, caller, row)


async def _remove_branch(instance: Instance, project: Any, caller: Caller, row: Any) -> None:
    """The source branch goes, where the caller may remove it."""
    gone = Change(row.sha, NO_SHA, f"refs/heads/{row.source_branch}")
    if forbidden(instance, project, caller, [gone]) is None:
        await asyncio.to_thread(run_git, Path(project.path), "update-ref", "-d", gone.ref, row.sha)
        await pushed(instance, project, caller, [gone], [])


def merge_when_succeeded(instance: Instance) -> None:
    """From now on, what waits for a pipeline is merged as soon as that succeeds."""

    def changed(record: PipelineRecord, _: list[JobRecord]) -> None:
        if record.status == "success":
            instance.loop.call_soon_threadsafe(look)

    def look() -> None:
        task = instance.loop.create_task(merge_due(instance))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    tasks: set[asyncio.Task[None]] = set()
    instance.pipelines.listeners.append(changed)


async def merge_due(instance: Instance) -> None:
    """Merges what waited for a pipeline that has succeeded."""
    for waiting in instance.merge_requests.waiting():
        pipeline = instance.merge_requests.head_pipeline(waiting)
        if pipeline is None or pipeline.status != "success":
            continue
        row = instance.merge_requests.by_id(waiting.id)
        if row is None or row.state != "opened" or (wish := facts_of(row).when_succeeded) is None:
            continue
        instance.merge_requests.change(row, {"when_succeeded": None})
        try:
            await _in_name_of(instance, row, wish)
        except Conflict as conflict:
            log.info("merge request %s is not merged: %s", row.id, conflict)
            if conflict.moved:
                instance.merge_requests.change(instance.merge_requests.by_id(row.id), {"when_succeeded": wish})
        except Exception:
            log.exception("merging %s", row.id)


async def _in_name_of(instance: Instance, row: Any, wish: Wish) -> None:
    project, user = instance.projects.by_id(row.project_id), instance.accounts.user(wish.user_id)
    if project is None or user is None or user.state != "active":
        raise Conflict("who wanted it is not there any more")
    caller = caller_of(user)
    if is_draft(row.title) or row.sha != wish.sha or row.sha == facts_of(row).base:
        raise Conflict("it is another than was wanted")
    if not instance.projects.may_merge(project, caller, row.target_branch):
        raise Conflict(f"{user.username} may not merge into {row.target_branch}")
    await accept(instance, project, caller, row, wish)
    instance.audit("merge", f"{project.full_path}!{row.iid}", user.id)
