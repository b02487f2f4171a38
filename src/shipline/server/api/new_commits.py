"""POST /projects/:id/repository/commits: several changes in one commit."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server.api.commits import detailed
from shipline.server.api.files import decoded
from shipline.server.api.written import write_commit
from shipline.server.git import reading as git
from shipline.server.git.writing import Action
from shipline.server.http.answers import because
from shipline.server.http.call import Call
from shipline.server.http.parameters import Parameters
from shipline.server.http.routes import Endpoint

ACTIONS = ("create", "update", "move", "delete", "chmod")


async def create(call: Call) -> Response:
    project = call.project(may.DEVELOPER)
    asked = call.listed("actions")
    actions = [_action(place, item) for place, item in enumerate(asked)]
    made = await write_commit(call, project, actions)
    found = await asyncio.to_thread(git.commit, Path(project.path), made)
    assert found is not None, "it has just been made"
    return call.json(await detailed(call, project, found), 201)


def _action(place: int, item: Any) -> Action:
    """One of the call's actions."""
    values = Parameters(item if isinstance(item, dict) else {})
    kind, path = values.text("action"), values.text("file_path")
    if kind not in ACTIONS:
        raise because(400, f"actions[{place}][action] must be one of: {', '.join(ACTIONS)}")
    previous = values.text("previous_path") or None
    if not path:
        raise because(400, f"actions[{place}][file_path] is required")
    if kind == "move" and previous is None:
        raise because(400, f"actions[{place}][previous_path] is required")
    for name in (path, previous or path):
        parts = name.split("/")
        if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
            raise because(400, f"actions[{place}][file_path] should be a valid file path")
    content = None
    if values.given("content"):
        content = decoded(values.text("content"), values.text("encoding") or "text")
    elif kind in ("create", "update"):
        content = b""
    executable = values.boolean("execute_filemode") if values.given("execute_filemode") else None
    last = values.text("last_commit_id") or None
    return Action(kind, path, content, previous if kind == "move" else None, executable, last)


ENDPOINTS = [
    Endpoint(
        "POST",
        "/projects/{id}/repository/commits",
        create,
        takes="branch! commit_message! actions!:[any] start_branch start_sha author_email author_name stats:bool "
        "force:bool",
        gives="CommitDetail",
    ),
]
