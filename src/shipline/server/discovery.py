"""What those ask who check an ID token of a job: the issuer's description and its public key."""

from __future__ import annotations

from starlette.responses import Response

from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint


async def configuration(call: Call) -> Response:
    return call.json(call.instance.issuer.discovery())


async def keys(call: Call) -> Response:
    return call.json(call.instance.issuer.jwks())


ENDPOINTS = [
    Endpoint("GET", "/.well-known/openid-configuration", configuration),
    Endpoint("GET", "/oauth/discovery/keys", keys),
    Endpoint("GET", "/-/jwks", keys),
]
