"""Runs the server until it is told to stop: the application under uvicorn."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from shipline.server.app import application
from shipline.server.errors import ServerError
from shipline.server.instance import Instance
from shipline.server.settings import Settings

LAST_ANSWERS = 5
"""Seconds that calls under way get when the server stops."""


class Serving(uvicorn.Server):
    """One run of the server. `instance` is there once it has started; `started` is then called, with the first
    user's password where this is the first start. `failure` is why it did not start."""

    def __init__(self, settings: Settings, started: Callable[[str | None], None] = lambda password: None) -> None:
        self.settings = settings
        self.started_with = started
        self.failure: ServerError | None = None
        self.instance: Instance | None = None
        super().__init__(
            uvicorn.Config(
                application(settings, self._opened),
                host=settings.host,
                port=settings.port,
                log_level="warning",
                access_log=False,
                http="httptools",
                ws="none",
                lifespan="on",
                server_header=False,
                timeout_graceful_shutdown=LAST_ANSWERS,
            )
        )

    def _opened(self, instance: Instance) -> None:
        self.instance = instance
        self.started_with(instance.accounts.first_password())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Those who wait for a job are answered at once."""
        if self.instance is not None:
            self.instance.stopping.set()
            self.instance.pipelines.bell.ring()
        await super().shutdown(sockets)


def listening(settings: Settings) -> socket.socket:
    """The socket on which the server listens. Raises ServerError when the port is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ServerError(
            f"The server cannot listen on {settings.host}:{settings.port}: {error.strerror}. Choose another --port."
        ) from None
    listener.listen(1024)
    return listener
