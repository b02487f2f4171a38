"""The sites that jobs have published: /-/pages/<project's path>/, each for those who may read the project.

A site is somebody's code, so it is shut off from the server's own pages: the browser gives it an origin of its own.
"""

from __future__ import annotations

import time

from starlette.responses import RedirectResponse, Response

from shipline.engine.sites import current, look_up
from shipline.server.http.answers import refusal
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint
from shipline.server.permissions import visible_to_all
from shipline.server.web import sessions

SHUT_OFF = {
    "Content-Security-Policy": "sandbox allow-scripts allow-forms allow-popups",
    "X-Content-Type-Options": "nosniff",
}


async def page(call: Call) -> Response:
    """The longest beginning of the path that is a project's path names the project; the rest is the page."""
    parts = call.path["path"].split("/")
    for length in range(len(parts), 1, -1):
        project = call.instance.projects.find("/".join(parts[:length]))
        if project is not None and "/" in "/".join(parts[:length]):
            return _page(call, project, parts[length:])
    raise refusal(404)


def _page(call: Call, project: object, rest: list[str]) -> Response:
    caller = call.caller or sessions.caller(call.instance, call.request)
    if not (call.instance.projects.level(project, caller) or visible_to_all(project, caller)):
        raise refusal(404)
    if not rest:
        return RedirectResponse(f"{call.request.url.path.rpartition('/')[2]}/", 302)
    sites = current(call.instance.store, project.id, time.time())  # type: ignore[attr-defined]
    found = look_up(sites, call.instance.publisher.sites, "/".join(rest))
    if found.location:
        return RedirectResponse(found.location, 302)
    return Response(found.content, found.status, headers=SHUT_OFF, media_type=found.media_type)


ENDPOINTS = [Endpoint("GET", "/-/pages/{path:path}", page, reads_body=False)]
