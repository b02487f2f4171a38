"""Startup, readiness and liveness probes: when they run, and what their answers change."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, Protocol

from shipline.cluster.engine import ContainerEngine
from shipline.cluster.errors import ContainerEngineError
from shipline.cluster.network.reach import Connection, Reach

Json = dict[str, Any]

KINDS = {"startup": "startupProbe", "readiness": "readinessProbe", "liveness": "livenessProbe"}
_ANSWER_SHOWN = 10 * 1024


class Failure(Exception):
    """A probe has failed; the text is what Kubernetes says of it."""


class Prober:
    """Runs one probe once, against one container."""

    def __init__(self, engine: ContainerEngine, reach: Reach, address: str, container: str, spec: Json) -> None:
        self._engine = engine
        self._reach = reach
        self._address = address
        self._container = container
        self._spec = spec

    async def run(self, probe: Json) -> None:
        """Raises Failure."""
        if "exec" in probe:
            return await self._exec(probe["exec"]["command"], probe.get("timeoutSeconds", 1))
        seconds = probe.get("timeoutSeconds", 1)
        if "tcpSocket" in probe:
            return await self._tcp(probe["tcpSocket"], seconds)
        return await self._http(probe["httpGet"], seconds)

    async def _exec(self, command: list[str], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                code, output = await self._engine.execute(self._container, command)
        except TimeoutError:
            raise Failure(f'command timed out: "{" ".join(command)}" timed out after {seconds}s') from None
        except ContainerEngineError as error:
            raise Failure(error.message) from None
        if code:
            raise Failure(output.decode(errors="replace"))

    async def _tcp(self, action: Json, seconds: float) -> None:
        address, port = action.get("host") or self._address, self.port(action["port"])
        connection = await self._open(address, port, seconds)
        await connection.close()

    async def _http(self, action: Json, seconds: float) -> None:
        host, port = action.get("host") or self._address, self.port(action["port"])
        scheme, path = action.get("scheme", "HTTP").lower(), action.get("path") or "/"
        url = f"{scheme}://{host}:{port}{path if path.startswith('/') else '/' + path}"
        try:
            async with asyncio.timeout(seconds):
                if scheme == "https":
                    status = await _https_status(host, port, _request(action, url, host, port))
                else:
                    connection = await self._open(host, port, seconds)
                    status = await _status(connection, _request(action, url, host, port))
        except TimeoutError:
            late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            raise Failure(f'Get "{url}": {late}') from None
        except Failure as error:
            raise Failure(f'Get "{url}": {error}') from None
        except (OSError, ValueError) as error:
            raise Failure(f'Get "{url}": {error or "EOF"}') from None
        if not 200 <= status < 400:
            raise Failure(f"HTTP probe failed with statuscode: {status}")

    async def _open(self, address: str, port: int, seconds: float) -> Connection:
        where = f"dial tcp {address}:{port}"
        try:
            async with asyncio.timeout(seconds):
                return await self._reach.open(address, port)
        except ConnectionRefusedError:
            raise Failure(f"{where}: connect: connection refused") from None
        except TimeoutError:
            raise Failure(f"{where}: i/o timeout") from None
        except OSError as error:
            raise Failure(f"{where}: connect: {error.strerror or error}") from None

    def port(self, port: int | str) -> int:
        """A port by number, or by its name in the container."""
        if isinstance(port, int):
            return port
        for named in self._spec.get("ports") or []:
            if named.get("name") == port:
                return int(named["containerPort"])
        if port.isdigit():
            return int(port)
        raise Failure(f"couldn't find port: {port}")


def _request(action: Json, url: str, host: str, port: int) -> bytes:
    path = "/" + url.split("/", 3)[3]
    headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/1.36", "Accept": "*/*", "Connection": "close"}
    for header in action.get("httpHeaders") or []:
        headers[header["name"].title() if header["name"].lower() == "host" else header["name"]] = header["value"]
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode()


async def _status(connection: Connection, request: bytes) -> int:
    """The status of an answer; ValueError when it is no HTTP."""
    try:
        await connection.write(request)
        answer = b""
        while b"\r\n" not in answer and len(answer) < _ANSWER_SHOWN:
            chunk = await connection.read()
            if not chunk:
                break
            answer += chunk
        return _parsed(answer)
    finally:
        with contextlib.suppress(OSError):
            await connection.close()


async def _https_status(host: str, port: int, request: bytes) -> int:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
    except ConnectionRefusedError:
        raise Failure(f"dial tcp {host}:{port}: connect: connection refused") from None
    try:
        writer.write(request)
        return _parsed(await reader.readline())
    finally:
        writer.close()


def _parsed(answer: bytes) -> int:
    if not answer:
        raise ValueError("EOF")
    version, _, rest = answer.split(b"\r\n", 1)[0].partition(b" ")
    if not version.startswith(b"HTTP/"):
        raise ValueError(
            f'net/http: HTTP/1.x transport connection broken: malformed HTTP response "{answer[:80]!r}"'
        )
    return int(rest[:3])


class Verdicts(Protocol):
    """Hears what a probe finds. `kind` is a key of KINDS."""

    def probe_failed(self, kind: str, text: str) -> None:
        """One failure."""

    def probe_decided(self, kind: str, success: bool) -> None:
        """The same answer came as often as it takes to count; told again each time it repeats."""


async def watch(kind: str, probe: Json, prober: Prober, started: asyncio.Event, verdicts: Verdicts) -> None:
    """Run a probe at its pace, for ever; liveness and readiness wait until the container counts as started."""
    if kind != "startup":
        await started.wait()
    await asyncio.sleep(probe.get("initialDelaySeconds", 0))
    needed = {True: probe.get("successThreshold", 1), False: probe.get("failureThreshold", 3)}
    last, run = None, 0
    while True:
        success = True
        try:
            await prober.run(probe)
        except Exception as error:  # a broken probe must not end the container's supervision
            success = False
            text = str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
            verdicts.probe_failed(kind, text)
        run = run + 1 if success == last else 1
        last = success
        if run >= needed[success]:
            verdicts.probe_decided(kind, success)
            if kind == "startup" and success:
                return
        await asyncio.sleep(probe.get("periodSeconds", 10))
