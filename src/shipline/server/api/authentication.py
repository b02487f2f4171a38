"""Who calls the REST API: by a personal access token, or a running job's token."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from shipline.engine.payload import TOKEN_PREFIX as JOB_TOKEN_PREFIX
from shipline.server import tables as t
from shipline.server.accounts import caller_of, is_active
from shipline.server.http.answers import Refusal, because, no_such, refusal
from shipline.server.http.call import Call
from shipline.server.http.parameters import number_in
from shipline.server.job_tokens import job_caller
from shipline.server.permissions import READING, Caller, useful_scopes
from shipline.server.vault import digest

FOR_JOBS = (
    "/job",
    "/projects/{id}/jobs",
    "/projects/{id}/pipelines",
    "/projects/{id}/environments",
    "/projects/{id}/deployments",
    "/projects/{id}/releases",
    "/projects/{id}/repository/commits/{sha}",
    "/projects/{id}/trigger/pipeline",
)
"""What a job's token may call (all below these too, reading only, but for the last)."""
CHANGED_BY_JOBS = ("/projects/{id}/environments", "/projects/{id}/deployments", "/projects/{id}/releases")
"""Of these, what it may change, too."""
ANONYMOUS = (
    "/projects/{id}/trigger/pipeline",
    "/projects/{id}/ref/{ref}/trigger/pipeline",
    "/projects/{id}/webhook",
)
"""What is open without a caller, since the call carries a token of its own."""
NAMED = (
    *("/projects/{id}/jobs", "/projects/{id}/environments", "/projects/{id}/deployments"),
    *("/projects/{id}/runners", "/projects/{id}/pipeline_schedules", "/projects/{id}/variables"),
    *("/projects/{id}/triggers", "/projects/{id}/resource_groups", "/runners", "/user", "/job", "/admin"),
    *("/namespaces", "/personal_access_tokens", "/version", "/metadata", "/search"),
    *("/projects/{id}/access_tokens", "/groups/{group}/access_tokens"),
)
"""What takes a caller's name for reading, too, before anything is looked for."""
NOT_FOR_JOBS = ("/variables", "/statuses", "/diff", "/refs", "/sequence", "/signature")


def authenticate(call: Call, path: str) -> None:
    """Sets the caller, if any; ends the call for a token that is wrong or may not do this. `path`: the route's."""
    method = call.request.method
    if path in ANONYMOUS:
        return
    token = _token(call)
    if token is None:
        if method not in READING or (path.startswith(NAMED) and "artifacts" not in path):
            raise refusal(401)
        return
    call.limit("api", digest(token), call.instance.settings.requests_a_minute)
    if token.startswith(JOB_TOKEN_PREFIX):
        caller = job_caller(call.instance, token)
        allowed = method in READING and path.startswith(FOR_JOBS) and not path.endswith(NOT_FOR_JOBS)
        if caller is None or not (allowed or path.startswith(CHANGED_BY_JOBS)):
            raise refusal(401)
        call.caller = caller
        return
    caller = call.instance.accounts.by_token(token)
    if caller is None:
        raise _unknown(call, token)
    scopes = useful_scopes(method, path)
    if not caller.has(*scopes) and path != "/personal_access_tokens/self":
        raise insufficient(*scopes)
    call.caller = _in_name_of(call, caller)


def _in_name_of(call: Call, caller: Caller) -> Caller:
    """Whom an administrator acts as, by `sudo` or the header Sudo; the caller without either."""
    wanted = call.request.headers.get("sudo") or call.text("sudo")
    if not wanted:
        return caller
    if not caller.admin:
        raise because(403, "Must be admin to use sudo")
    if not caller.has("sudo"):
        raise insufficient("sudo")
    accounts = call.instance.accounts
    number = number_in(wanted)
    user = accounts.user(number) if number is not None else accounts.by_name(wanted)
    if user is None or user.state != "active":
        raise no_such(f"User with ID or username '{wanted}'")
    if call.request.method not in READING:
        call.instance.audit(
            f"sudo {call.request.method}",
            f"as {user.username}: {call.request.url.path}",
            caller.user_id,
            call.address,
        )
    return caller_of(user, caller.scopes, caller.token_id)


def insufficient(*scopes: str) -> Refusal:
    """403 for a token that lacks the scopes of which one would do."""
    text = "The request requires higher privileges than provided by the access token."
    return Refusal(403, {"error": "insufficient_scope", "error_description": text, "scope": " ".join(scopes)})


def _token(call: Call) -> str | None:
    headers = call.request.headers
    kind, _, bearer = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and bearer:
        return bearer.strip()
    given = headers.get("private-token") or headers.get("job-token") or call.values.get("private_token")
    given = given or call.values.get("job_token") or call.values.get("access_token")
    return given if isinstance(given, str) else None


def _unknown(call: Call, token: str) -> Refusal:
    """401; a token that once worked hears why it does not any more."""
    query = sa.select(t.tokens).where(t.tokens.c.digest == digest(token))
    known: Any | None = call.instance.database.one(query)
    if known is None or is_active(known):
        return refusal(401)
    why = "Token was revoked. You have to re-authorize from the user."
    if not known.revoked:
        why = "Token is expired. You can either do re-authorization or token refresh."
    body = {"error": "invalid_token", "error_description": why}
    return Refusal(401, body, {"WWW-Authenticate": 'Bearer realm="Shipline"'})
