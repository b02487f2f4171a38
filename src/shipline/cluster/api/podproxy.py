"""`pods/NAME/proxy` and `services/NAME/proxy`: one request of a client, asked of a pod in its name.

The pod is asked in HTTP/1.0, whose answers end with the connection and have no chunks; the caller's credentials
stay here. NAME may be `http:NAME:PORT`, PORT a number or, for a service, the port's name.
"""

from __future__ import annotations

import random
import re
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from shipline.cluster.api.errors import ApiError, bad_request
from shipline.cluster.api.exchange import Exchange
from shipline.cluster.api.streams import ByteStream

Json = dict[str, Any]

LARGEST_HEAD = 1 << 20  # bytes
_HEADS_END = re.compile(rb"\r?\n\r?\n")
_ONE_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
_KEPT_HERE = _ONE_HOP | {"authorization", "host", "content-length", "accept-encoding"}


async def serve(exchange: Exchange) -> web.StreamResponse:
    """The pod's answer; ApiError 503 where nothing answers."""
    name, port = _named(exchange.info.name)
    find = _of_service if exchange.info.plural == "services" else _of_pod
    pod, number = find(exchange, name, port)
    try:
        stream = await exchange.streams.portforward(pod, number)
    except ConnectionError as error:
        raise _away(f"error trying to reach service: {error}") from None
    try:
        await stream.write(await _request(exchange, number))
        return await _pass_on(exchange, stream)
    except ConnectionError as error:
        raise _away(f"error trying to reach service: {error}") from None
    finally:
        await stream.close()


def _named(text: str) -> tuple[str, str]:
    """Name and port out of `[scheme:]name[:port]`; an empty scheme is `http`."""
    parts = text.split(":")
    if len(parts) == 3:
        if parts[0] == "https":
            raise bad_request("this cluster's proxy speaks http to pods, not https: use port-forward")
        parts = parts[1:]
    name, port = [*parts, ""][:2]
    return name, port


def _of_pod(exchange: Exchange, name: str, port: str) -> tuple[Json, int]:
    pod = exchange.api.get("pods", exchange.info.namespace, name)
    if not pod.get("status", {}).get("podIP"):
        raise bad_request("address not allowed")
    said = (each for container in pod["spec"]["containers"] for each in container.get("ports") or ())
    usual = next((each["containerPort"] for each in said), 80)
    if port and not port.isdecimal():
        raise bad_request(f'invalid port "{port}"')
    return pod, int(port or usual)


def _of_service(exchange: Exchange, name: str, port: str) -> tuple[Json, int]:
    namespace = exchange.info.namespace
    ports = exchange.api.get("services", namespace, name)["spec"].get("ports") or []
    alone = not port and len(ports) == 1
    wanted = [each for each in ports if alone or port in (each.get("name"), str(each["port"]))]
    if not wanted:
        raise _away(f'no service port "{port}" found for service "{name}"')
    endpoints = exchange.api.look_up("endpoints", namespace, name) or {}
    found = [
        (address["targetRef"]["name"], each["port"])
        for subset in endpoints.get("subsets") or ()
        for each in subset.get("ports") or ()
        for address in subset.get("addresses") or ()
        if each.get("name") == wanted[0].get("name") and address.get("targetRef", {}).get("kind") == "Pod"
    ]
    if not found:
        raise _away(f'no endpoints available for service "{name}"')
    pod, number = random.choice(found)
    return exchange.api.get("pods", namespace, pod), number


async def _request(exchange: Exchange, port: int) -> bytes:
    request = exchange.request
    if request.headers.get("Upgrade"):
        raise bad_request("this cluster's proxy carries plain requests, no upgrades: use port-forward")
    path = request.rel_url.raw_path.partition("/proxy")[2] or "/"
    query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
    body = await request.read()
    lines = [f"{request.method} {path}{query} HTTP/1.0", f"Host: {exchange.info.name}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name.lower() not in _KEPT_HERE]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _pass_on(exchange: Exchange, stream: ByteStream) -> web.StreamResponse:
    received = b""
    while (end := _HEADS_END.search(received)) is None:
        part = await stream.read()
        if not part or len(received) > LARGEST_HEAD:
            raise ConnectionError("the pod's answer is no HTTP")
        received += part
    first, *lines = received[: end.start()].decode("latin-1").splitlines()
    rest = received[end.end() :]
    words = first.split(" ", 2)
    if not first.startswith("HTTP/1.") or len(words) < 2 or not words[1].isdecimal():
        raise ConnectionError("the pod's answer is no HTTP")
    fields = (line.partition(":") for line in lines)
    kept = ((name.strip(), value.strip()) for name, _, value in fields if name.strip().lower() not in _ONE_HOP)
    headers = CIMultiDict(kept)
    headers.setdefault("Content-Type", _kind_of(rest))
    response = web.StreamResponse(status=int(words[1]), headers=headers)
    await response.prepare(exchange.request)
    while rest:
        await response.write(rest)
        rest = await stream.read()
    await response.write_eof()
    return response


def _kind_of(content: bytes) -> str:
    """What an answer is that does not say so, as Kubernetes guesses it of the beginning."""
    if re.match(rb"\s*<(!doctype html|html|head|body)\b", content, re.IGNORECASE):
        return "text/html; charset=utf-8"
    return "application/octet-stream" if b"\0" in content else "text/plain; charset=utf-8"


def _away(message: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", message, {})
