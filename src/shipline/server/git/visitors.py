"""Who reads or writes a repository over HTTP: a user name and a password, of which a token is one kind."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Any

from shipline.engine.payload import TOKEN_PREFIX as JOB_TOKEN_PREFIX
from shipline.server.accounts import TOKEN_PREFIX, caller_of, password_fits
from shipline.server.deploy_tokens import PREFIX as DEPLOY_PREFIX
from shipline.server.http.answers import Refusal, refusal
from shipline.server.http.call import Call
from shipline.server.job_tokens import job_caller
from shipline.server.permissions import DEVELOPER, MAINTAINER, Caller, visible_to_all
from shipline.server.projects import Refused

PASSWORDS_A_MINUTE = 20
NOT_FOUND = "The project you were looking for could not be found or you don't have permission to view it."
CHALLENGE = {"WWW-Authenticate": 'Basic realm="Shipline"'}


async def reader(call: Call) -> tuple[Any, Caller | None]:
    """The project and who reads it."""
    caller = await named(call)
    project = call.instance.projects.find(_project_path(call))
    if project is not None and visible_to_all(project, caller):
        return project, caller
    if caller is None:
        raise unknown()
    if project is None or not call.instance.projects.level(project, caller):
        if project is not None:
            call.refuse_job_token(project, caller)
        raise refusal(404, NOT_FOUND)
    if not caller.has("api", "read_repository", "write_repository"):
        raise refusal(403, "The token has not the scope read_repository.")
    return project, caller


async def pusher(call: Call) -> tuple[Any, Caller]:
    """The project and who writes to it. A project that is not there is made, where the user may make it."""
    caller = await named(call)
    if caller is None:
        raise unknown()
    if not caller.person or not caller.has("api", "write_repository"):
        raise refusal(403, "This token may not push: it needs the scope write_repository.")
    project = call.instance.projects.find(_project_path(call)) or _new_project(call, caller)
    level = call.instance.projects.level(project, caller)
    if not level and not visible_to_all(project, caller):
        raise refusal(404, NOT_FOUND)
    if level < DEVELOPER:
        raise refusal(403, "You are not allowed to push code to this project.")
    return project, caller


def _project_path(call: Call) -> str:
    return call.path["project"].strip("/")


def _new_project(call: Call, caller: Caller) -> Any:
    namespace_path, _, path = _project_path(call).rpartition("/")
    namespace = call.instance.projects.namespace(namespace_path)
    if namespace is None or call.instance.groups.level(namespace.id, caller) < MAINTAINER:
        raise refusal(404, NOT_FOUND)
    try:
        project = call.instance.projects.create(namespace, path, caller.user_id)
    except Refused as why:
        raise refusal(403, f"A project of that name cannot be made: it {why}") from None
    call.instance.audit("create project", project.full_path, caller.user_id, call.address)
    return project


async def named(call: Call) -> Caller | None:
    """Who it is; None when nobody is named. 401 for a wrong password or token."""
    kind, _, encoded = call.request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise unknown() from None
    if password.startswith(JOB_TOKEN_PREFIX):
        caller = job_caller(call.instance, password)
    elif password.startswith(DEPLOY_PREFIX):
        caller = call.instance.deploy_tokens.caller(username, password)
    elif password.startswith(TOKEN_PREFIX):
        caller = call.instance.accounts.by_token(password)
    else:
        caller = await _with_password(call, username, password)
    if caller is None:
        raise unknown()
    return caller


async def _with_password(call: Call, username: str, password: str) -> Caller | None:
    call.limit("password", call.address or "", PASSWORDS_A_MINUTE)
    user = call.instance.accounts.by_name(username)
    if user is None or user.state != "active":
        return None
    fits = await asyncio.to_thread(password_fits, user.password, password)
    return caller_of(user) if fits else None


def unknown() -> Refusal:
    return Refusal(401, {"message": "HTTP Basic: Access denied"}, CHALLENGE)
