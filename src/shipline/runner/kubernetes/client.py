"""Calls to the Kubernetes API: JSON in and out, watches as iterators, byte streams of logs.

    client = Client(load("~/.kube/config"))
    pod = await client.create("/api/v1/namespaces/default/pods", {...})
    async for kind, pod in client.watch(path, field_selector="metadata.name=web"): ...

Calls that did not reach the server, or that it asks to be sent again, are tried again; `create` is safe to repeat
because names are given by us.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from shipline.runner.errors import RunnerError
from shipline.runner.kubernetes.credentials import Credentials
from shipline.runner.kubernetes.errors import ApiError, Unreachable
from shipline.runner.kubernetes.kubeconfig import Access

Object = dict[str, Any]

ATTEMPTS = 5
REPEAT = frozenset({429, 500, 502, 503, 504})
NETWORK = (aiohttp.ClientError, OSError, asyncio.TimeoutError)
CALL_TIME = aiohttp.ClientTimeout(total=60, sock_connect=10)
STREAM_TIME = aiohttp.ClientTimeout(total=None, sock_connect=10)


class Client:
    """One cluster. `close` when done."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.credentials = Credentials(access)
        self._session: aiohttp.ClientSession | None = None

    async def session(self) -> aiohttp.ClientSession:
        """The HTTP session; a credential plugin may first have to give its client certificate."""
        if self._session is None:
            await self.credentials.headers()
            if self._session is None:
                connector = aiohttp.TCPConnector(ssl=self.access.ssl_context(), limit=0)
                self._session = aiohttp.ClientSession(connector=connector, timeout=CALL_TIME)
        return self._session

    async def options(self) -> dict[str, Any]:
        """What every request is sent with."""
        options: dict[str, Any] = {"headers": await self.credentials.headers()}
        if self.access.server_name:
            options["server_hostname"] = self.access.server_name
        if self.access.proxy:
            options["proxy"] = self.access.proxy
        return options

    def url(self, path: str) -> str:
        return self.access.server + path

    async def call(self, method: str, path: str, body: Object | None = None, **query: str) -> Object:
        """One request and its JSON answer. ApiError when the server refuses, Unreachable when none answers."""
        content = None if body is None else json.dumps(body).encode()
        session = await self.session()
        renewed = False
        for attempt in range(1, ATTEMPTS + 1):
            options = await self.options()
            if content is not None:
                kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
                options["headers"]["Content-Type"] = kind
            try:
                async with session.request(
                    method, self.url(path), data=content, params=query, **options
                ) as response:
                    answer = await response.read()
            except NETWORK as error:
                if attempt == ATTEMPTS:
                    raise Unreachable(f"{self.access.server} ({self.access.source}): {_words(error)}") from None
                await asyncio.sleep(0.1 * 2**attempt)
                continue
            if response.status < 300:
                result: Object = json.loads(answer)
                return result
            if response.status == 401 and not renewed and await self.credentials.renew():
                renewed = True
                continue
            if response.status not in REPEAT or attempt == ATTEMPTS:
                raise ApiError.from_body(response.status, answer)
            await asyncio.sleep(float(response.headers.get("Retry-After", 0.1 * 2**attempt)))
        raise RunnerError(f"{self.access.server}: the credentials of {self.access.source} are refused")

    async def get(self, path: str, **query: str) -> Object:
        return await self.call("GET", path, None, **query)

    async def create(self, path: str, body: Object) -> Object:
        """The new object; one that a repeated request finds already there is given as it is."""
        try:
            return await self.call("POST", path, body)
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
        session = await self.session()
        parameters = {"watch": "true", "allowWatchBookmarks": "true"} | query
        options = await self.options()
        try:
            async with session.get(self.url(path), params=parameters, timeout=STREAM_TIME, **options) as response:
                if response.status != 200:
                    raise ApiError.from_body(response.status, await response.read())
                async for line in _lines(response.content):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise ApiError(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
                    yield event["type"], event["object"]
        except NETWORK as error:
            raise Unreachable(f"{self.access.server}: the watch broke: {_words(error)}") from None

    async def logs(self, namespace: str, pod: str, container: str, *, tail: int) -> str:
        """The last lines of a container's log; empty when there is none to be had."""
        session = await self.session()
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        query = {"container": container, "tailLines": str(tail), "limitBytes": "65536"}
        try:
            async with session.get(self.url(path), params=query, **await self.options()) as response:
                text = await response.text(errors="replace")
                return text if response.status == 200 else ""
        except NETWORK:
            return ""

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length (an object may be larger than a reader's line buffer)."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
