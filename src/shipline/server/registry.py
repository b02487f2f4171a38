"""Lets people and jobs into a container registry: the token service of the CNCF registry.

The registry sends whoever has no token here (`docker login`, a kubelet, a job); what is asked for is compared with
what the user, the job's token or the deploy token may do in the project that the image's name begins with. The
answer is signed with a key whose certificate the registry has been given (`registry_key`).
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import tables as t
from shipline.server.git.visitors import named, unknown
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint
from shipline.server.permissions import DEVELOPER, MAINTAINER, NO_ACCESS, REPORTER, Caller, visible_to_all
from shipline.server.registry_key import ISSUER, SERVICE

GOOD_FOR = 300
"""Seconds that a token works: a push that takes longer asks again."""
LEVELS = {"pull": REPORTER, "push": DEVELOPER, "delete": DEVELOPER, "*": MAINTAINER}
"""By action: the access level it needs in the project."""
SCOPES = {
    "pull": ("api", "read_registry", "write_registry"),
    "push": ("api", "write_registry"),
    "delete": ("api", "write_registry"),
    "*": ("api",),
}
"""By action: the token scopes of which one opens it."""


async def authorize(call: Call) -> Response:
    """GET /jwt/auth: a token for what is asked in `scope`, as far as the visitor may do it. 401 for a wrong
    password; somebody without one gets what is open to all."""
    caller = await named(call)
    if caller is None and "authorization" in call.request.headers:
        raise unknown()
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": SERVICE,
        "sub": caller.username if caller else "",
        "iat": now,
        "nbf": now - 5,
        "exp": now + GOOD_FOR,
        "jti": str(uuid.uuid4()),
        "access": [each for each in _asked(call) if _allow(call, caller, each)],
    }
    token = call.instance.registry_key.sign(claims)
    issued = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
    return call.json({"token": token, "access_token": token, "expires_in": GOOD_FOR, "issued_at": issued})


def _asked(call: Call) -> list[dict[str, Any]]:
    """The scopes: `repository:group/app/image:pull,push`, several of them, or several in one with spaces."""
    found = []
    for text in " ".join(call.request.query_params.getlist("scope")).split():
        kind, _, rest = text.partition(":")
        name, _, actions = rest.rpartition(":")
        if kind == "repository" and name:
            found.append({"type": kind, "name": name, "actions": sorted(set(actions.split(",")) & LEVELS.keys())})
    return found


def _allow(call: Call, caller: Caller | None, scope: dict[str, Any]) -> bool:
    """Leaves in `scope` the actions that are allowed; False when none is."""
    project = _project(call, scope["name"])
    if project is None:
        return False
    level = _level(call, project, caller)
    open_to_caller = visible_to_all(project, caller)

    def may(action: str) -> bool:
        if action == "pull" and open_to_caller:
            return True
        return level >= LEVELS[action] and caller is not None and caller.has(*SCOPES[action])

    scope["actions"] = [action for action in scope["actions"] if may(action)]
    return bool(scope["actions"])


def _project(call: Call, image: str) -> Any | None:
    """The project that an image belongs to: the one of its name, or of what the name begins with."""
    parts = image.split("/")
    paths = ("/".join(parts[:length]) for length in range(len(parts), 1, -1))
    return next((found for path in paths if (found := call.instance.projects.find(path)) is not None), None)


def _level(call: Call, project: Any, caller: Caller | None) -> int:
    """A deploy token may in its project what its scopes say. A job pulls also from projects that let its own
    project in, as far as its user may."""
    if caller is not None and caller.machine:
        return DEVELOPER if caller.project_id == project.id else NO_ACCESS
    level = call.instance.projects.level(project, caller)
    if level or caller is None or caller.job_id is None:
        return level
    lets_in = sa.select(t.job_token_targets.c.project_id).where(
        t.job_token_targets.c.project_id == project.id,
        t.job_token_targets.c.target_project_id == caller.project_id,
    )
    if call.instance.database.one(lets_in) is None:
        return level
    user = Caller(caller.user_id, caller.username, caller.name, caller.email, caller.admin)
    return min(call.instance.projects.level(project, user), REPORTER)


ENDPOINTS = [Endpoint("GET", "/jwt/auth", authorize)]
