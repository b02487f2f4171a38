"""Runners come, prove themselves and go."""

from __future__ import annotations

from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any

from starlette.responses import Response

from shipline.server.http.answers import Refusal, refusal, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint
from shipline.server.runner_api.authentication import heard_of, runner

ACCESS_LEVELS = ("not_protected", "ref_protected")
SHORTEST_TIMEOUT = 600
NOTE_LIMIT = 1024
NO_TAGS = "can not be empty when runner is not allowed to pick untagged jobs"


async def register(call: Call) -> Response:
    """POST runners: with the instance's registration token."""
    call.required("token")
    call.limit("register", call.address or "", 60)
    if call.text("token") != call.instance.runners.registration_token():
        raise refusal(403, "403 Forbidden - invalid token supplied")
    number, token = call.instance.runners.create(**settings_of(call))
    call.audit("register runner", str(number))
    return call.json({"id": number, "token": token, "token_expires_at": None}, 201)


async def verify(call: Call) -> Response:
    known = runner(call)
    heard_of(call, known)
    return call.json({"id": known.id, "token": call.text("token"), "token_expires_at": None})


async def unregister(call: Call) -> Response:
    known = runner(call)
    _unless_changed(call, known.created_at)
    call.instance.runners.delete(known.id)
    call.audit("delete runner", str(known.id))
    return Response(status_code=204)


async def unregister_manager(call: Call) -> Response:
    call.required("token", "system_id")
    known, system_id = runner(call), call.text("system_id")
    manager = next((one for one in call.instance.runners.managers(known.id) if one.system_id == system_id), None)
    if manager is None:
        raise refusal(404, "Runner manager not found")
    _unless_changed(call, manager.created_at)
    call.instance.runners.forget_manager(known.id, system_id)
    return Response(status_code=204)


def _unless_changed(call: Call, changed_at: float) -> None:
    """412 where the caller wants it deleted only as it was before."""
    asked = call.request.headers.get("if-unmodified-since")
    with suppress(TypeError, ValueError):
        if asked and parsedate_to_datetime(asked).timestamp() < int(changed_at):
            raise refusal(412)


async def reset_token(call: Call) -> Response:
    """A new token for a runner that knows the old one."""
    known = runner(call)
    heard_of(call, known)
    return call.json({"token": call.instance.runners.renew(known.id), "token_expires_at": None}, 201)


async def discover_router(call: Call) -> Response:
    """There is no job router here, which runners take for an answer."""
    if call.instance.runners.by_token(call.request.headers.get("runner-token", "")) is None:
        raise refusal(403)
    raise refusal(501, "Job Router is not available. Please contact your administrator.")


def settings_of(call: Call) -> dict[str, Any]:
    """What a runner may be told of itself when it is made."""
    for one, other in (("paused", "active"), ("maintenance_note", "maintainer_note")):
        if call.given(one) and call.given(other):
            raise wrong_parameter(f"{one}, {other} are mutually exclusive")
    note = call.text("maintenance_note") or call.text("maintainer_note") or None
    problems: dict[str, list[str]] = {}
    if note and len(note) > NOTE_LIMIT:
        problems["maintenance_note"] = [f"is too long (maximum is {NOTE_LIMIT} characters)"]
    tags = [str(tag) for tag in call.listed("tag_list")]
    if not tags and not call.boolean("run_untagged", True):
        problems["tags_list"] = [NO_TAGS]
    timeout = call.integer("maximum_timeout")
    if timeout is not None and timeout < SHORTEST_TIMEOUT:
        problems["maximum_timeout"] = ["needs to be at least 10 minutes"]
    if problems:
        raise Refusal(400, {"message": problems})
    return {
        "description": call.text("description") or None,
        "maintenance_note": note,
        "paused": call.boolean("paused") or not call.boolean("active", True),
        "locked": call.boolean("locked"),
        "run_untagged": call.boolean("run_untagged", True),
        "access_level": call.choice("access_level", ACCESS_LEVELS, "not_protected"),
        "maximum_timeout": timeout,
        "tags": tags,
    }


_SET = (
    "description maintenance_note maintainer_note paused:bool active:bool locked:bool run_untagged:bool "
    "tag_list:list access_level:not_protected|ref_protected maximum_timeout:int"
)
ENDPOINTS = [
    Endpoint("POST", "/runners", register, takes=f"token! info:hash {_SET}", gives="CreatedRunner"),
    Endpoint("POST", "/runners/verify", verify, takes="token! system_id", gives="CreatedRunner", status=200),
    Endpoint("DELETE", "/runners", unregister, takes="token!", gives="-"),
    Endpoint("DELETE", "/runners/managers", unregister_manager, takes="token! system_id!", gives="-"),
    Endpoint("POST", "/runners/reset_authentication_token", reset_token, takes="token!", gives="RunnerToken"),
    Endpoint("GET", "/runners/router/discovery", discover_router),
]
