"""Whether the server lives and can work, for probes: GitLab's paths and answers. They need no login and tell no
more than that."""

from __future__ import annotations

import sqlalchemy as sa
from starlette.responses import PlainTextResponse, Response

from shipline.server.http.answers import json_response
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint


async def health(call: Call) -> Response:
    return PlainTextResponse("GitLab OK")


async def liveness(call: Call) -> Response:
    return json_response({"status": "ok"})


async def readiness(call: Call) -> Response:
    """Ready when the database answers."""
    try:
        call.instance.database.one(sa.text("select 1"))
    except sa.exc.SQLAlchemyError:
        return json_response({"status": "failed", "master_check": [{"status": "failed"}]}, 503)
    return json_response({"status": "ok", "master_check": [{"status": "ok"}]})


ENDPOINTS = [
    Endpoint("GET", "/-/health", health),
    Endpoint("GET", "/-/liveness", liveness),
    Endpoint("GET", "/-/readiness", readiness),
]
