"""/version, /metadata, and the registration token of the instance."""

from __future__ import annotations

from starlette.responses import Response

import shipline
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint
from shipline.server.instance import VERSION


async def version(call: Call) -> Response:
    call.user()
    return call.json(
        {
            "version": VERSION,
            "revision": f"shipline {shipline.__version__}",
            "kas": {"enabled": False, "externalUrl": None, "externalK8sProxyUrl": None, "version": None},
            "enterprise": False,
        }
    )


async def registration_token(call: Call) -> Response:
    """POST runners/reset_registration_token: a new token; the old one registers nobody any more."""
    call.administrator()
    call.audit("reset registration token", "instance")
    return call.json({"token": call.instance.runners.renew_registration_token(), "token_expires_at": None}, 201)


ENDPOINTS = [
    Endpoint("GET", "/version", version, gives="Version"),
    Endpoint("GET", "/metadata", version, gives="Version"),
    Endpoint("POST", "/runners/reset_registration_token", registration_token, gives="RunnerToken"),
]
