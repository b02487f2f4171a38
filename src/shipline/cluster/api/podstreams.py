"""A pod's streams by HTTP: logs as a plain answer, exec, attach and port-forward over a WebSocket or SPDY.

The far end is the node's (`NodeStreams`); here requests are checked and bytes are framed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from shipline.cluster.api.errors import ApiError, bad_request, invalid
from shipline.cluster.api.exchange import Exchange
from shipline.cluster.api.upgrade import wants_spdy

Json = dict[str, Any]


async def serve(exchange: Exchange, kind: str) -> web.StreamResponse:
    """Answer a request for `log`, `exec`, `attach` or `portforward`."""
    info = exchange.info
    pod = exchange.api.get("pods", info.namespace, info.name)
    if kind == "log":
        return await _log(exchange, pod)
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {info.name} does not have a host assigned")
    if not _is_websocket(exchange.request) and not wants_spdy(exchange.request):
        raise bad_request("Upgrade request required")
    if kind == "portforward":
        from shipline.cluster.api.portforward import serve_portforward

        return await serve_portforward(exchange, pod)
    from shipline.cluster.api.terminal import serve_terminal

    return await serve_terminal(exchange, pod, container_of(pod, exchange.query.get("container", "")), kind)


def _is_websocket(request: web.BaseRequest) -> bool:
    return (
        request.headers.get("Upgrade", "").lower() == "websocket"
        and "upgrade" in request.headers.get("Connection", "").lower()
    )


def container_of(pod: Json, wanted: str) -> str:
    """The container meant: the one asked for or the only one; ApiError 400 when that isn't clear."""
    spec, name = pod["spec"], pod["metadata"]["name"]
    main = [container["name"] for container in spec["containers"]]
    init = [container["name"] for container in spec.get("initContainers") or ()]
    if wanted:
        if wanted not in main + init:
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(main) == 1:
        return str(main[0])
    message = f"a container name must be specified for pod {name}, choose one of: [{' '.join(main)}]"
    if init:
        message += f" or one of the init containers: [{' '.join(init)}]"
    raise bad_request(message)


async def _log(exchange: Exchange, pod: Json) -> web.StreamResponse:
    query = exchange.query
    options = _log_options(exchange)
    container = container_of(pod, query.get("container", ""))
    response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
    if not pod["spec"].get("nodeName"):
        await response.prepare(exchange.request)
        return response
    chunks = await exchange.streams.logs(pod, container, **options)
    await response.prepare(exchange.request)
    try:
        async for chunk in chunks:
            await response.write(chunk)
    except ConnectionError:
        pass  # The reader has gone.
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
    return response


def _log_options(exchange: Exchange) -> Json:
    """The log's parameters as the node takes them; ApiError 422 for impossible ones."""
    query = exchange.query
    tail, limit, seconds = (exchange.number(name) for name in ("tailLines", "limitBytes", "sinceSeconds"))
    causes = []
    if tail is not None and tail < 0:
        causes.append(_must_be(tail, "tailLines", "must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        causes.append(_must_be(limit, "limitBytes", "must be greater than 0"))
    if seconds is not None and seconds < 1:
        causes.append(_must_be(seconds, "sinceSeconds", "must be greater than 0"))
    if seconds is not None and query.get("sinceTime"):
        causes.append(
            ("FieldValueForbidden", "", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified")
        )
    if causes:
        raise invalid("PodLogOptions", "", exchange.info.name, causes)
    since: datetime | None = None
    if seconds is not None:
        since = datetime.now(UTC) - timedelta(seconds=seconds)
    elif query.get("sinceTime"):
        try:
            since = datetime.fromisoformat(query["sinceTime"]).astimezone(UTC)
        except ValueError:
            raise bad_request(f'parsing time "{query["sinceTime"]}": it is no RFC 3339 time') from None
    stream = query.get("stream", "All")
    if stream not in ("", "All"):
        raise ApiError(422, "Invalid", f'stream: Unsupported value: "{stream}": the node keeps one log of both')
    return {
        "follow": exchange.flag("follow"),
        "previous": exchange.flag("previous"),
        "since": since,
        "tail": tail,
        "limit_bytes": limit,
        "timestamps": exchange.flag("timestamps"),
    }


def _must_be(value: int, field: str, why: str) -> tuple[str, str, str]:
    return "FieldValueInvalid", field, f"Invalid value: {value}: {why}"
