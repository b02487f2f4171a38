"""From a table of endpoints to routes. A path is matched as it was sent: `group%2Fapp` is one segment."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shipline.engine.errors import EngineError
from shipline.server.errors import ServerError
from shipline.server.http.answers import Refusal, because, conditional, json_response, refused
from shipline.server.http.call import Call
from shipline.server.http.forms import check
from shipline.server.instance import Instance

Handler = Callable[[Call], Awaitable[Response]]
OpenInstance = Callable[[], Instance]
Authenticate = Callable[[Call, str], None]


class Endpoint(NamedTuple):
    """`path` is relative to the interface's base. `reads_body`: whether parameters may stand in the body; an
    endpoint that takes a stream reads it by itself. `takes` and `gives`: the parameters, and the shape of the
    answer (`-`: none; `text` and `file`: no JSON), in the notation of `shipline.server.http.forms`. `status`: that
    of success, where it is not the method's usual one."""

    method: str
    path: str
    handler: Handler
    reads_body: bool = True
    takes: str = ""
    gives: str = ""
    status: int = 0

    @property
    def success(self) -> int:
        """The status of success."""
        return self.status or {"POST": 201, "DELETE": 204}.get(self.method, 200)


def routes(
    base: str, endpoints: Iterable[Endpoint], instance: OpenInstance, authenticate: Authenticate | None
) -> list[Route]:
    """The routes of an interface, one an endpoint, in the order of the table."""

    def route(endpoint: Endpoint) -> Route:
        async def answer(request: Request) -> Response:
            started = time.perf_counter()
            call = Call(instance(), request)
            try:
                await call.read(body=endpoint.reads_body)
                if authenticate is not None:
                    authenticate(call, endpoint.path)
                check(call, endpoint.takes)
                response = await endpoint.handler(call)
            except Refusal as refusal:
                response = refused(refusal)
            except EngineError as error:
                response = refused(because(400, str(error)))
            except ServerError as error:
                response = json_response({"message": str(error)}, 500)
            if authenticate is not None:
                response = conditional(request, response)
            response.headers.setdefault("Cache-Control", "max-age=0, private, must-revalidate")
            response.headers["X-Runtime"] = f"{time.perf_counter() - started:.6f}"
            return response

        return Route(base + endpoint.path, answer, methods=[endpoint.method])

    return [route(endpoint) for endpoint in endpoints]


class AsSent:
    """Lets routes see the path as it was sent, still encoded."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = dict(scope, path=scope["raw_path"].decode("ascii", errors="replace"))
        await self.app(scope, receive, send)
