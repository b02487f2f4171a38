"""What a runner's process tells those who watch it: `/metrics` for Prometheus, `/healthz` for a probe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from shipline.runner.errors import RunnerError
from shipline.runner.fleet import Fleet
from shipline.runner.metrics import Metrics

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def listening(address: str, fleet: Fleet, metrics: Metrics) -> AsyncIterator[int]:
    """Answers at `host:port` (`:port` is loopback's) for as long as the context is open; gives the port."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise RunnerError(f"listen_address = {address!r}: expected host:port, as in 127.0.0.1:9252")

    async def measured(request: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": TEXT_FORMAT})

    async def healthy(request: web.Request) -> web.Response:
        silent = fleet.silent()
        text = "ok\n" if not silent else "".join(f"no answer for {name}\n" for name in silent)
        return web.Response(text=text, status=503 if silent else 200)

    app = web.Application()
    app.router.add_get("/metrics", measured)
    app.router.add_get("/healthz", healthy)
    server = web.AppRunner(app, access_log=None)
    await server.setup()
    try:
        await web.TCPSite(server, host.strip("[]") or "127.0.0.1", int(port)).start()
    except OSError as error:
        await server.cleanup()
        raise RunnerError(f"listen_address = {address!r}: {error.strerror or error}") from None
    try:
        yield server.addresses[0][1]
    finally:
        await server.cleanup()
