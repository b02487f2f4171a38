"""A commit that a call makes: on which branch, from where, in whose name, and what follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shipline.engine.git import GitError
from shipline.engine.git import git as run_git
from shipline.engine.repository import NO_SHA
from shipline.server.git import content
from shipline.server.git.pushes import Change, forbidden, pushed
from shipline.server.git.writing import Action, Person, Unwritable, commit, move_branch
from shipline.server.http.answers import because, refusal
from shipline.server.http.call import Call


async def write_commit(call: Call, project: Any, actions: Sequence[Action]) -> str:
    """Commits the actions to the call's `branch`, which is made from `start_branch` or `start_sha` where it is new;
    gives the commit's id. Its pipelines start as for a push."""
    branch, message = call.filled("branch"), call.text("commit_message")
    path = Path(project.path)
    tip = await asyncio.to_thread(content.resolve, path, f"refs/heads/{branch}")
    start = call.text("start_sha") or call.text("start_branch")
    parent = tip
    if start and (tip is None or call.boolean("force")):
        parent = await asyncio.to_thread(content.resolve, path, start)
        if parent is None:
            raise refusal(400, f"Invalid reference name: {start}")
    elif tip is None and await asyncio.to_thread(_has_branches, path):
        raise refusal(400, "You can only create or edit files when you are on a branch")
    author = _author(call)
    try:
        made = await asyncio.to_thread(commit, path, parent, message, actions, author, _committer(call))
    except (Unwritable, GitError) as error:
        raise refusal(400, str(error) if isinstance(error, Unwritable) else "The commit cannot be made") from None
    await put_on_branch(call, project, branch, tip, made)
    return made


async def put_on_branch(call: Call, project: Any, branch: str, old: str | None, new: str) -> None:
    """Makes the branch name a new commit, where the caller may; starts what a push starts."""
    change = Change(old or NO_SHA, new, f"refs/heads/{branch}")
    if forbidden(call.instance, project, call.user(), [change]):
        raise because(403, "You are not allowed to push into this branch")
    path = Path(project.path)
    try:
        await asyncio.to_thread(run_git, path, "check-ref-format", f"refs/heads/{branch}")
        await asyncio.to_thread(move_branch, path, branch, old, new)
    except GitError:
        raise refusal(400, "Branch name is invalid, or the branch has changed meanwhile") from None
    await pushed(call.instance, project, call.user(), [change], [])


def _has_branches(path: Path) -> bool:
    return bool(run_git(path, "for-each-ref", "--count=1", "refs/heads/"))


def _committer(call: Call) -> Person:
    user = call.user()
    return Person(user.name, user.email)


def _author(call: Call) -> Person:
    own = _committer(call)
    return Person(_line(call.text("author_name")) or own.name, _line(call.text("author_email")) or own.email)


def _line(text: str) -> str:
    """What git takes for a name: one line, without what ends a name in a commit."""
    return "".join(letter for letter in text if letter >= " " and letter not in "<>").strip()
