"""The API over HTTPS: authenticates, authorizes and dispatches each request.

`serve` opens the ports; the rest of the cluster talks to the `Api` directly.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import uuid
from collections.abc import Coroutine, Sequence
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from shipline.cluster.api import authn, authz, bodies, paths, requestinfo, rest
from shipline.cluster.api.accountsecrets import fill_secrets
from shipline.cluster.api.authz import Attributes
from shipline.cluster.api.bootstrap import bootstrap
from shipline.cluster.api.call import User
from shipline.cluster.api.errors import ApiError, unknown_path
from shipline.cluster.api.eventlife import forget_events
from shipline.cluster.api.exchange import Exchange
from shipline.cluster.api.machinery import Api
from shipline.cluster.api.negotiation import JSON, PROTOBUF, Form
from shipline.cluster.api.pki import Pki
from shipline.cluster.api.requestinfo import RequestInfo
from shipline.cluster.api.streams import NodeStreams
from shipline.cluster.api.tokens import TokenKey
from shipline.cluster.errors import ClusterError

_LOG = logging.getLogger(__name__)
_LARGEST_BODY = 3 * 1024 * 1024
_SHUTDOWN_SECONDS = 1.0
_KEEPALIVE_SECONDS = 3600.0
_HOUSEKEEPING_SECONDS = 60.0


class Server:
    """A listening API server. `ports` are those it got, in the order of the addresses asked for."""

    def __init__(self, runner: web.ServerRunner, ports: list[int], handler: _Handler) -> None:
        self._runner = runner
        self._handler = handler
        self._housekeeping = [asyncio.create_task(work) for work in handler.housework()]
        self.ports = ports

    async def stop(self) -> None:
        """Close the ports; running watches and streams are cut."""
        for task in self._housekeeping:
            task.cancel()
        self._handler.cut()
        await self._runner.cleanup()


async def serve(
    api: Api, streams: NodeStreams, pki: Pki, addresses: Sequence[tuple[str, int]] = (("127.0.0.1", 0),)
) -> Server:
    """Open the API on each (address, port), port 0 meaning a free one. ClusterError when one cannot be had.

    The namespaces and roles that every cluster has are there afterwards.
    """
    bootstrap(api)
    handler = _Handler(api, streams, TokenKey(pki.token_key), pki.authority_pem())
    low_level = web.Server(
        handler.handle,
        request_factory=_request,
        handler_cancellation=True,  # A watch whose client has gone ends at once.
        access_log=None,
        keepalive_timeout=_KEEPALIVE_SECONDS,
    )
    runner = web.ServerRunner(low_level, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    ports = []
    try:
        for address, port in addresses:
            site = web.TCPSite(runner, address, port, ssl_context=pki.server_context())
            await site.start()
            server = site._server
            assert server is not None
            ports.append(server.sockets[0].getsockname()[1])  # type: ignore[attr-defined]
    except OSError as error:
        await runner.cleanup()
        raise ClusterError(
            f"the cluster's API cannot listen on {address}:{port}: {error.strerror}; "
            "stop what uses the port or choose another"
        ) from error
    return Server(runner, ports, handler)


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    """A request whose body may be as large as the largest object."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LARGEST_BODY)


class _Handler:
    def __init__(self, api: Api, streams: NodeStreams, key: TokenKey, authority: str) -> None:
        self._api = api
        self._streams = streams
        self._key = key
        self._authority = authority
        self._running: set[asyncio.Task[Any]] = set()

    def cut(self) -> None:
        """End whatever is being answered."""
        for task in self._running:
            task.cancel()

    def housework(self) -> list[Coroutine[Any, Any, None]]:
        """What goes on beside the answering, for ever."""
        return [self._forget(), fill_secrets(self._api, self._key, self._authority)]

    async def _forget(self) -> None:
        while True:
            forget_events(self._api)
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer anything; errors become a Status."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            return await self._handled(request)
        finally:
            self._running.discard(task)

    async def _handled(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            response = await self._answer(request)
        except ApiError as error:
            response = _status(request, error)
        except web.HTTPRequestEntityTooLarge:
            response = _status(request, _too_large())
        except (ConnectionError, web.HTTPException):
            raise
        except Exception as error:
            _LOG.exception("%s %s", request.method, request.path)
            message = f"Internal error occurred: {error}"
            response = _status(
                request, ApiError(500, "InternalError", message, {"causes": [{"message": str(error)}]})
            )
        if not response.prepared:
            response.headers.setdefault("Audit-Id", str(uuid.uuid4()))
            response.headers.setdefault("Cache-Control", "no-cache, private")
        return response

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object") if transport else None
        user = authn.authenticate(request.headers, tls, self._key, self._api.look_up)
        info = requestinfo.parse(request.method, request.path, request.query)
        user = self._impersonated(request, user)
        wanted = attributes(info, request)
        if not authz.allows(self._api, user, wanted):
            raise authz.refusal(user, wanted)
        if request.content_length is not None and request.content_length > _LARGEST_BODY:
            raise _too_large()
        exchange = Exchange(request, info, user, self._api, self._streams, self._key)
        if info.is_resource:
            return await rest.serve(exchange)
        if request.method not in ("GET", "HEAD"):
            raise unknown_path()
        return paths.serve(exchange, self._key)

    def _impersonated(self, request: web.BaseRequest, user: User) -> User:
        """The user whom an administrator speaks for, when they may."""
        other = authn.impersonated(request.headers)
        if other is None:
            return user
        wanted = [Attributes("impersonate", "", "users", "", "", other.name)]
        if other.name.startswith("system:serviceaccount:") and other.name.count(":") == 3:
            _, _, namespace, name = other.name.split(":")
            wanted = [Attributes("impersonate", "", "serviceaccounts", "", namespace, name)]
        for group in request.headers.getall("Impersonate-Group", []):
            wanted.append(Attributes("impersonate", "", "groups", "", "", group))
        if other.uid:
            wanted.append(Attributes("impersonate", "authentication.k8s.io", "uids", "", "", other.uid))
        for key, values in other.extra.items():
            wanted += [
                Attributes("impersonate", "authentication.k8s.io", "userextras", key, "", value) for value in values
            ]
        for action in wanted:
            if not authz.allows(self._api, user, action):
                raise authz.refusal(user, action)
        return other


def _too_large() -> ApiError:
    message = f"Request entity too large: limit is {_LARGEST_BODY}"
    return ApiError(413, "RequestEntityTooLarge", message, {})


def attributes(info: RequestInfo, request: web.BaseRequest) -> Attributes:
    """The action that a request is, for authorization."""
    if not info.is_resource:
        return Attributes("get" if request.method == "HEAD" else request.method.lower(), path=info.path)
    # A namespace's own rights are asked in that namespace.
    namespace = info.name if info.plural == "namespaces" and not info.group else info.namespace
    return Attributes(info.verb, info.group, info.plural, info.subresource, namespace or "", info.name)


def _status(request: web.BaseRequest, error: ApiError) -> web.Response:
    from shipline.cluster.api.negotiation import wanted

    try:
        form = wanted(request.headers, request.query)
    except ApiError:
        form = Form(JSON, pretty=True) if request.headers.get("User-Agent", "").startswith("curl/") else Form(JSON)
    status: dict[str, Any] = error.status()
    if form.media == PROTOBUF:
        from shipline.cluster.api import protobuf

        body = protobuf.write_status(status)
    else:
        body = bodies.write(status, form)
    response = web.Response(body=body, status=error.status_code, headers=error.headers)
    response.headers["Content-Type"] = form.media
    return response
