"""Calls to the Kubernetes API: JSON in and out, watches as iterators, logs, and where exec's streams begin.

    client = Client(load("~/.kube/config"))
    pod = await client.create("/api/v1/namespaces/default/pods", {...})
    async for kind, pod in client.watch(path, fieldSelector="metadata.name=web"): ...

Calls that did not reach the server, or that it asks to be sent again, are tried again; `create` is safe to repeat
because names are given by us.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import quote, urlencode

from shipline.runner.errors import RunnerError
from shipline.runner.kubernetes.credentials import Credentials
from shipline.runner.kubernetes.errors import ApiError, Unreachable
from shipline.runner.kubernetes.http import Answer, Server
from shipline.runner.kubernetes.kubeconfig import Access
from shipline.runner.kubernetes.websocket import Refused, WebSocket

Object = dict[str, Any]
Warned = Callable[[str], None]

WARNING = re.compile(r'299 \S+ "(?P<text>(?:[^"\\]|\\.)*)"')  # a header may hold several, with commas between
ATTEMPTS = 5
REPEAT = frozenset({429, 500, 502, 503, 504})
CALL_TIME = 60.0  # seconds


class Client:
    """One cluster. `close` when done."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.credentials = Credentials(access)
        self.answered = False
        """Whether the cluster has answered anything yet."""
        self._server: Server | None = None

    async def _ready(self) -> tuple[Server, dict[str, str]]:
        """The server, and the headers that say who asks. A plugin may first have to give a client certificate."""
        headers = await self.credentials.headers()
        if self._server is None:
            access = self.access
            self._server = Server(access.server, access.tls(), name=access.server_name, proxy=access.proxy)
        return self._server, headers

    async def call(self, method: str, path: str, body: Object | None = None, **query: str) -> Object:
        """One request and its JSON answer. ApiError when the server refuses, Unreachable when none answers."""
        return await self._call(method, path, body, query)

    async def _call(
        self, method: str, path: str, body: Object | None, query: Mapping[str, str], warned: Warned | None = None
    ) -> Object:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        answer, data = await self._ask(method, with_query(path, query.items()), body, kind)
        if warned is not None:
            for found in WARNING.finditer(answer.headers.get("warning", "")):
                warned(re.sub(r"\\(.)", r"\1", found["text"]))
        if answer.status >= 300:
            raise ApiError.from_body(answer.status, data)
        result: Object = json.loads(data)
        return result

    async def _ask(self, method: str, target: str, body: Object | None, kind: str) -> tuple[Answer, bytes]:
        content = b"" if body is None else json.dumps(body).encode()
        renewed = False
        for attempt in range(1, ATTEMPTS + 1):
            server, headers = await self._ready()
            if content:
                headers["Content-Type"] = kind
            try:
                async with asyncio.timeout(CALL_TIME):
                    answer, data = await server.whole(method, target, headers, content)
            except OSError as error:  # TimeoutError is one
                if attempt == ATTEMPTS:
                    raise Unreachable(f"{self.access.server} ({self.access.source}): {_words(error)}") from None
                await asyncio.sleep(0.1 * 2**attempt)
                continue
            self.answered = True
            if answer.status == 401 and not renewed and await self.credentials.renew():
                renewed = True
                continue
            if answer.status not in REPEAT or attempt == ATTEMPTS:
                return answer, data
            await asyncio.sleep(_seconds(answer.headers.get("retry-after"), 0.1 * 2**attempt))
        raise RunnerError(f"{self.access.server}: the credentials of {self.access.source} are refused")

    async def get(self, path: str, **query: str) -> Object:
        return await self.call("GET", path, None, **query)

    async def create(self, path: str, body: Object, *, warned: Warned | None = None) -> Object:
        """The new object; one that a repeated request finds already there is given as it is. `warned` is told what
        the server has to say about it, though it takes it."""
        try:
            return await self._call("POST", path, body, {}, warned)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            return await self.get(f"{path}/{body['metadata']['name']}")

    async def patch(self, path: str, body: Object) -> Object:
        """A JSON merge patch."""
        return await self.call("PATCH", path, body)

    async def delete(self, path: str, *, grace: int | None = None) -> None:
        """Deletes; one that is gone is fine. `grace` is in seconds."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            await self.call("DELETE", path, options)
        except ApiError as error:
            if error.code != 404:
                raise

    async def watch(self, path: str, **query: str) -> AsyncIterator[tuple[str, Object]]:
        """Events of one watch request until the server ends it; ApiError for an ERROR event."""
        target = with_query(path, [("watch", "true"), ("allowWatchBookmarks", "true"), *query.items()])
        async with aclosing(self._stream(target, "the watch broke")) as lines:
            async for line in lines:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise ApiError(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
                yield event["type"], event["object"]

    async def logs(self, namespace: str, pod: str, container: str, *, tail: int) -> str:
        """The last lines of a container's log; empty when there is none to be had."""
        query = {"container": container, "tailLines": str(tail), "limitBytes": "65536"}
        try:
            target = with_query(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query.items())
            answer, data = await self._ask("GET", target, None, "")
        except Unreachable:
            return ""
        return data.decode(errors="replace") if answer.status == 200 else ""

    async def lines(self, namespace: str, pod: str, container: str) -> AsyncIterator[bytes]:
        """A container's log from its begin, each line with its time, as long as there comes more. ApiError before
        the container runs, Unreachable when the connection breaks."""
        query = {"container": container, "follow": "true", "timestamps": "true"}
        target = with_query(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query.items())
        async with aclosing(self._stream(target, "the log broke off")) as lines:
            async for line in lines:
                yield line

    async def _stream(self, target: str, broken: str) -> AsyncGenerator[bytes, None]:
        """The lines of an answer that goes on. Unreachable, which says that it is `broken`, when it breaks."""
        server, headers = await self._ready()
        connection = None
        try:
            async with asyncio.timeout(CALL_TIME):
                answer, connection = await server.ask("GET", target, headers)
            if answer.status != 200:
                raise ApiError.from_body(answer.status, await answer.read())
            async for line in _lines(answer.parts()):
                yield line
        except OSError as error:
            raise Unreachable(f"{self.access.server}: {broken}: {_words(error)}") from None
        finally:
            if connection is not None:
                connection.close()

    async def socket(self, path: str, query: Iterable[tuple[str, str]], protocols: tuple[str, ...]) -> WebSocket:
        """A WebSocket to a streaming subresource. ApiError when the server refuses, Unreachable without one."""
        server, headers = await self._ready()
        try:
            async with asyncio.timeout(CALL_TIME):
                return await WebSocket.connect(server, with_query(path, query), headers, protocols)
        except Refused as refused:
            raise ApiError.from_body(refused.status, refused.body) from None
        except OSError as error:
            raise Unreachable(f"{self.access.server}: {_words(error)}") from None

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()


def with_query(path: str, query: Iterable[tuple[str, str]]) -> str:
    """`path`, and the parameters after a question mark."""
    text = urlencode(list(query), quote_via=quote)
    return f"{path}?{text}" if text else path


async def _lines(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines of any length: an object may be larger than any buffer."""
    rest = b""
    async for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line:
                yield line


def _seconds(text: str | None, otherwise: float) -> float:
    return float(text) if text and text.isdigit() else otherwise


def _words(error: BaseException) -> str:
    return str(error) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
