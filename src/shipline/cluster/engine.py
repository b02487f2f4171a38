"""The container engine, through the Docker Engine API that Docker, Docker Desktop and Podman all serve.

Only what every one of them has had since Docker 20.10 is used, and at that version of the API, so that a newer
engine behaves like the oldest. Requests are plain paths and JSON: the API's own reference is the documentation.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any

from shipline.cluster.errors import ContainerEngineError

if TYPE_CHECKING:
    import aiodocker
    import aiohttp

Json = dict[str, Any]
log = logging.getLogger(__name__)

# The API of Docker 20.10: the oldest engine that is supported, and Podman's. Newer engines may want more.
API_VERSION = (1, 41)
STDOUT, STDERR = 1, 2

NO_ENGINE = (
    "no container engine answers{where}: {why}. Start Docker or Podman (Debian: apt-get install docker.io), "
    "or name one with DOCKER_HOST or `docker context use`."
)


class Attached:
    """Both directions of a container's or an exec's standard streams.

    Life: `write` any number of times, `close_write` once, while one task iterates `output`; `close` at last.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """(STDOUT or STDERR, bytes) until the other side ends; with a terminal all is STDOUT."""
        while True:
            message = await self._stream.read_out()
            if message is None:
                return
            yield message.stream or STDOUT, message.data

    async def write(self, data: bytes) -> None:
        """Send to standard input; waits while the other side does not read."""
        try:
            await self._stream.write_in(data)
        except (ConnectionError, RuntimeError, AssertionError):
            raise ConnectionResetError("the process has ended") from None

    def close_write(self) -> None:
        """End of standard input; output goes on."""
        response = self._stream._resp
        transport = response.connection.transport if response and response.connection else None
        if transport is not None and transport.can_write_eof():
            transport.write_eof()

    async def close(self) -> None:
        """Let go of the connection."""
        try:
            await self._stream.close()
        except AssertionError:  # the connection has ended before us
            pass


class Turn:
    """Whose turn it is to have a container join or leave a network: one at a time, joins before leaves.

    Docker 20.10 can lock itself up for good when containers join and leave one network at the same moment, so
    whoever starts or removes a container with a network of its own waits for its turn. Leaving can wait longer.
    """

    def __init__(self) -> None:
        self._taken = False
        self._joining: deque[asyncio.Future[None]] = deque()
        self._leaving: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def joins(self) -> AsyncIterator[None]:
        """A turn for starting a container."""
        async with self._held(self._joining):
            yield

    @asynccontextmanager
    async def leaves(self) -> AsyncIterator[None]:
        """A turn for removing one."""
        async with self._held(self._leaving):
            yield

    @asynccontextmanager
    async def _held(self, queue: deque[asyncio.Future[None]]) -> AsyncIterator[None]:
        if self._taken:
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            queue.append(mine)
            try:
                await mine
            except asyncio.CancelledError:
                if mine.done() and not mine.cancelled():
                    self._next()
                raise
        self._taken = True
        try:
            yield
        finally:
            self._next()

    def _next(self) -> None:
        for queue in (self._joining, self._leaving):
            while queue:
                waiting = queue.popleft()
                if not waiting.done():
                    waiting.set_result(None)
                    return
        self._taken = False


class ContainerEngine:
    """A connection to the engine. Make it with `connect`; use it as a context manager or `close` it."""

    def __init__(self, docker: aiodocker.Docker, address: str) -> None:
        self._docker = docker
        self.address = address
        self.info: Json = {}
        self.network = Turn()

    @classmethod
    async def connect(cls) -> ContainerEngine:
        """The engine that docker's own command would talk to: DOCKER_HOST, then the context, then the sockets.

        Raises ContainerEngineError, status 0, when none answers.
        """
        import aiodocker

        address = os.environ.get("DOCKER_HOST") or None
        try:
            docker = aiodocker.Docker(url=address or _known_socket())
        except (AssertionError, ValueError, aiodocker.DockerError) as error:
            why = str(error) or "there is no socket of one"
            raise ContainerEngineError(0, NO_ENGINE.format(where="", why=why)) from None
        docker.connector._limit = 0  # followed logs and open shells hold a connection each
        engine = cls(docker, str(docker._connection_info))
        try:
            version = await docker._query_json("version", versioned_api=False)
            newest, oldest = (_version(version.get(field)) for field in ("ApiVersion", "MinAPIVersion"))
            docker.api_version = "v{}.{}".format(*max(min(newest, API_VERSION), oldest))
            engine.info = await engine.get("info")
        except (aiodocker.DockerError, OSError, ContainerEngineError) as error:
            await docker.close()
            message = getattr(error, "message", str(error))
            where = f" at {engine.address}"
            raise ContainerEngineError(0, NO_ENGINE.format(where=where, why=message)) from None
        return engine

    @property
    def local(self) -> bool:
        """Whether the engine's containers can be reached, and its files seen, from this very machine."""
        return self.address.startswith("unix://") and self.info.get("Name") == os.uname().nodename

    async def get(self, path: str, **params: Any) -> Any:
        """GET; the decoded JSON."""
        return await self._json("GET", path, None, params)

    async def post(self, path: str, body: Any = None, **params: Any) -> Any:
        """POST a JSON body; the decoded JSON."""
        return await self._json("POST", path, body, params)

    async def delete(self, path: str, **params: Any) -> None:
        """DELETE; what is not there counts as deleted."""
        try:
            await self._json("DELETE", path, None, params)
        except ContainerEngineError as error:
            # 409: its removal is already under way.
            if error.status not in (404, 409) or (error.status == 409 and "in progress" not in error.message):
                raise

    async def find(self, kind: str, labels: list[str], **params: Any) -> list[Json]:
        """`containers/json`, `networks` or `volumes` whose labels match all of `labels`."""
        found = await self.get(kind, filters=json.dumps({"label": labels}), **params)
        if isinstance(found, dict):
            found = found.get("Volumes")
        return list(found or [])

    async def lines(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None, **params: Any
    ) -> AsyncIterator[Json]:
        """An answer that is a stream of JSON objects (events, the progress of a pull)."""
        async with self.response(path, method, headers=headers, **params) as response:
            buffer = b""
            async for chunk in response.content.iter_any():
                buffer += chunk
                *complete, buffer = buffer.split(b"\n")
                for line in complete:
                    if line.strip():
                        yield json.loads(line)
            if buffer.strip():
                yield json.loads(buffer)

    @asynccontextmanager
    async def response(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        **params: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The bare response, for archives and logs."""
        import aiodocker
        import aiohttp

        try:
            response = await self._docker._do_query(
                path, method, params=params or None, data=body, headers=headers, timeout=aiohttp.ClientTimeout()
            )
        except aiodocker.DockerError as error:
            raise ContainerEngineError(error.status, error.message) from None
        try:
            yield response
        except aiohttp.ClientError as error:
            raise ContainerEngineError(0, f"the container engine at {self.address} has gone: {error}") from None
        finally:
            response.close()

    async def attach(self, path: str, body: Any = None, *, tty: bool = False) -> Attached:
        """POST and take over the connection (`containers/…/attach`, `exec/…/start`)."""
        import aiodocker
        from aiodocker.stream import Stream
        from yarl import URL

        async def setup() -> tuple[URL, bytes | None, bool]:
            return URL(path, encoded=True), json.dumps(body).encode() if body is not None else None, tty

        stream = Stream(self._docker, setup)
        try:
            await stream._init()
        except aiodocker.DockerError as error:
            raise ContainerEngineError(error.status, error.message) from None
        return Attached(stream)

    async def execute(self, container: str, command: list[str], stdin: bytes | None = None) -> tuple[int, bytes]:
        """Run a command in a running container to its end; its exit status and output."""
        created = await self.post(
            f"containers/{container}/exec",
            {"Cmd": command, "AttachStdin": stdin is not None, "AttachStdout": True, "AttachStderr": True},
        )
        attached = await self.attach(f"exec/{created['Id']}/start", {"Detach": False, "Tty": False})
        try:
            if stdin is not None:
                await attached.write(stdin)
                attached.close_write()
            output = b"".join([data async for _, data in attached.output()])
        finally:
            await attached.close()
        ended = await self.get(f"exec/{created['Id']}/json")
        return int(ended["ExitCode"] or 0), output

    async def close(self) -> None:
        """Close all connections."""
        await self._docker.close()

    async def __aenter__(self) -> ContainerEngine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _json(self, method: str, path: str, body: Any, params: dict[str, Any]) -> Any:
        import aiodocker

        began = monotonic()
        try:
            return await self._docker._query_json(path, method, data=body, params=params or None)
        except aiodocker.DockerError as error:
            if error.status == 900:
                raise ContainerEngineError(
                    0, NO_ENGINE.format(where=f" at {self.address}", why=error.message)
                ) from None
            raise ContainerEngineError(error.status, error.message.strip()) from None
        finally:
            log.debug("%s %s took %.0f ms", method, path, (monotonic() - began) * 1000)


async def unframed(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The payload of the engine's frames (stream number, three zeros, length), whichever the stream."""
    buffer = bytearray()
    async for chunk in chunks:
        buffer += chunk
        whole = bytearray()
        at = 0
        while len(buffer) - at >= 8:
            end = at + 8 + int.from_bytes(buffer[at + 4 : at + 8], "big")
            if len(buffer) < end:
                break
            whole += buffer[at + 8 : end]
            at = end
        del buffer[:at]
        if whole:
            yield bytes(whole)


def _version(text: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in (text or "1.12").split("."))


def _known_socket() -> str | None:
    """Sockets of rootless engines, which aiodocker does not look for; None leaves the search to it."""
    if any(Path(path).exists() for path in ("/run/docker.sock", "/var/run/docker.sock")):
        return None
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    for path in (f"{runtime}/docker.sock", f"{runtime}/podman/podman.sock", "/run/podman/podman.sock"):
        if Path(path).is_socket():
            return f"unix://{path}"
    return None
