"""Paths that are no resource: discovery, health, version, schemas, token keys."""

from __future__ import annotations

import msgspec
from aiohttp import web

from shipline.cluster.api import bodies, discovery, negotiation
from shipline.cluster.api.exchange import Exchange
from shipline.cluster.api.tokens import ISSUER, TokenKey

KUBERNETES = "v1.36.2"
_VERSION = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": KUBERNETES,
    "gitCommit": "$Format:%H$",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.26.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_CHECKS = ("ping", "log", "storage-readiness")
_OPENAPI_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_FIXED = (
    "/.well-known/openid-configuration",
    "/healthz",
    "/livez",
    "/openapi/v2",
    "/openapi/v3",
    "/openid/v1/jwks",
    "/readyz",
    "/version",
)


def serve(exchange: Exchange, key: TokenKey) -> web.Response:
    """Answer such a path; 404 in plain text where nothing is."""
    path = exchange.info.path.rstrip("/") or "/"
    if path in ("/api", "/apis"):
        return _roots(exchange, core=path == "/api")
    if path.startswith(("/healthz", "/livez", "/readyz")):
        return _health(exchange, path)
    parts = path.strip("/").split("/")
    document = None
    if parts[0] == "api" and len(parts) == 2:
        document = discovery.resources("", parts[1])
    elif parts[0] == "apis" and len(parts) == 2:
        document = discovery.group(parts[1])
    elif parts[0] == "apis" and len(parts) == 3:
        document = discovery.resources(parts[1], parts[2])
    elif path == "/version":
        return _indented(_VERSION)
    elif path == "/":
        return _indented({"paths": _paths()})
    elif path == "/.well-known/openid-configuration":
        document = _openid()
    elif path == "/openid/v1/jwks":
        document = _keys(key)
    elif parts[0] == "openapi":
        return _openapi(exchange, parts[1:])
    if document is None:
        return _nothing()
    return exchange.answer(document)


def _nothing() -> web.Response:
    return web.Response(status=404, text="404 page not found\n")


def _indented(document: object) -> web.Response:
    body = msgspec.json.format(msgspec.json.encode(document), indent=2)
    return web.Response(body=body, content_type="application/json")


def _roots(exchange: Exchange, core: bool) -> web.Response:
    headers = exchange.request.headers
    if not negotiation.discovery_version(headers):
        address = headers.get("Host", "")
        return exchange.answer(discovery.versions(address) if core else discovery.groups())
    raw, etag = discovery.aggregated(core)
    answer = {"ETag": etag, "Vary": "Accept"}
    if headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=answer)
    answer["Content-Type"] = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    return web.Response(body=raw, headers=answer)


def _health(exchange: Exchange, path: str) -> web.Response:
    _, kind, *check = path.split("/")
    if check and check[0] not in _CHECKS:
        return _nothing()
    if "verbose" not in exchange.query or check:
        return web.Response(text="ok")
    lines = [f"[+]{name} ok\n" for name in _CHECKS]
    return web.Response(text="".join(lines) + f"{kind} check passed\n")


def _paths() -> list[str]:
    found = [*_FIXED, "/api", "/api/v1", "/apis", "/apis/"]
    for group in discovery.GROUPS:
        found += [f"/apis/{group}", f"/apis/{group}/v1"]
    found += [f"/{kind}/{name}" for kind in ("healthz", "livez", "readyz") for name in _CHECKS]
    return sorted(found)


def _openid() -> dict[str, object]:
    return {
        "issuer": ISSUER,
        "jwks_uri": f"{ISSUER}/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }


def _keys(key: TokenKey) -> dict[str, object]:
    x, y = key.public_numbers()
    one = {"use": "sig", "kty": "EC", "kid": key.key_id(), "crv": "P-256", "alg": "ES256", "x": x, "y": y}
    return {"keys": [one]}


def _openapi(exchange: Exchange, parts: list[str]) -> web.Response:
    from shipline.cluster.api import openapi

    if parts == ["v2"] and "proto-openapi.spec.v2" in exchange.request.headers.get("Accept", ""):
        return web.Response(body=openapi.version_2_protobuf(), content_type=_OPENAPI_PROTOBUF)
    if parts == ["v2"]:
        return web.Response(
            body=bodies.write(openapi.version_2(), exchange.form()), content_type="application/json"
        )
    if parts == ["v3"]:
        return exchange.answer(openapi.index())
    raw = openapi.document("/".join(parts[1:])) if parts and parts[0] == "v3" else None
    if raw is None:
        return _nothing()
    return web.Response(body=raw, content_type="application/json")
