"""The ASGI application: the interfaces' routes around one instance, and what goes on while they are served."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from shipline.objects.objects import ObjectsError
from shipline.server import api, discovery, health, pages, registry, runner_api
from shipline.server.api import openapi, uploads
from shipline.server.api.authentication import authenticate
from shipline.server.git import lfs, smart_http
from shipline.server.http.answers import json_response
from shipline.server.http.routes import AsSent, routes
from shipline.server.instance import Instance
from shipline.server.opening import open_instance
from shipline.server.settings import Settings
from shipline.server.tending import tend
from shipline.server.web.routes import web_routes

BOTH = [*runner_api.ENDPOINTS, *api.ENDPOINTS]
Opened = Callable[[Instance], None]

log = logging.getLogger("shipline.server")


def application(settings: Settings, opened: Opened = lambda instance: None) -> ASGIApp:
    """The server. The instance is opened when it starts, and `opened` told; it is closed when it stops."""
    instances: list[Instance] = []

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        instance = open_instance(settings)
        instances[:] = [instance]
        tending = asyncio.create_task(tend(instance))
        opened(instance)
        try:
            yield
        finally:
            tending.cancel()
            await asyncio.wait([tending])
            await instance.downstream.close()
            instance.close()

    async def not_found(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == 405 and isinstance(error, HTTPException):
            return json_response({"error": "405 Not Allowed"}, 405, dict(error.headers or {}))
        return json_response({"error": "404 Not Found"}, status)

    async def out_of_reach(request: Request, error: Exception) -> Response:
        log.warning("objects: %s", error)
        return json_response({"message": "503 Service Unavailable"}, 503, {"Retry-After": "5"})

    async def broken(request: Request, error: Exception) -> Response:
        return json_response({"message": "500 Internal Server Error"}, 500)

    app = Starlette(
        routes=[
            *routes("/api/v4", runner_api.ENDPOINTS, lambda: instances[0], None),
            *routes("/api/v4", api.ENDPOINTS, lambda: instances[0], authenticate),
            *routes("/api/v4", openapi.endpoints("/api/v4", BOTH), lambda: instances[0], None),
            *routes("", health.ENDPOINTS, lambda: instances[0], None),
            *routes("", registry.ENDPOINTS, lambda: instances[0], None),
            *routes("", discovery.ENDPOINTS, lambda: instances[0], None),
            *routes("", pages.ENDPOINTS, lambda: instances[0], authenticate),
            *routes("", uploads.LINKED, lambda: instances[0], authenticate),
            *routes("", smart_http.ENDPOINTS, lambda: instances[0], None),
            *routes("", lfs.ENDPOINTS, lambda: instances[0], None),
            *web_routes(lambda: instances[0]),
        ],
        lifespan=lifespan,
        exception_handlers={HTTPException: not_found, ObjectsError: out_of_reach, Exception: broken},
    )
    return AsSent(app)
