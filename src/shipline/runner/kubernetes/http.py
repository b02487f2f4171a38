"""HTTP/1.1 to one server: connections kept and used again, answers read whole or as they come.

Just what a Kubernetes API server is spoken to with. The libraries that do more take a fifth of a second to import,
which is as long as the whole of a small job.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

HEAD_LIMIT = 1 << 20  # bytes of a line or a head
CONNECT_TIME = 10.0  # seconds


class HttpError(OSError):
    """The server, or a proxy on the way, said something that is not HTTP, or stopped in the middle."""


class Connection:
    """One TCP or TLS connection. `fresh` until its first answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.fresh = True

    async def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers (names in small letters) of the next answer."""
        try:
            text = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise HttpError("the connection was closed before an answer came") from None
        first, *lines = text.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise HttpError(f"this is not an HTTP/1.1 answer: {first[:80]!r}")
        headers: dict[str, str] = {}
        for name, _, value in (line.partition(":") for line in lines if line):
            name, value = name.strip().lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return int(rest[:3]), headers

    def close(self) -> None:
        self.writer.transport.abort()


class Answer:
    """An answer whose body is yet to be read: once, by `read` or by `parts`."""

    def __init__(self, status: int, headers: dict[str, str], connection: Connection) -> None:
        self.status = status
        self.headers = headers
        self._connection = connection

    async def read(self) -> bytes:
        return b"".join([part async for part in self.parts()])

    async def parts(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        reader = self._connection.reader
        try:
            if self.headers.get("transfer-encoding", "").lower() == "chunked":
                while size := int((await reader.readline()).split(b";")[0], 16):
                    yield await reader.readexactly(size)
                    await reader.readexactly(2)
                while (await reader.readline()).strip():
                    pass
            elif "content-length" in self.headers:
                left = int(self.headers["content-length"])
                while left:
                    part = await reader.read(min(left, HEAD_LIMIT))
                    if not part:
                        raise HttpError("the answer ended too early")
                    left -= len(part)
                    yield part
            elif self.status not in (204, 304):
                while part := await reader.read(HEAD_LIMIT):
                    yield part
        except (asyncio.IncompleteReadError, ValueError):
            raise HttpError("the answer ended too early") from None


class Server:
    """Where requests go. `tls` is None for plain HTTP; `name` is what the certificate is for, if not the host."""

    def __init__(self, url: str, tls: ssl.SSLContext | None, *, name: str = "", proxy: str = "") -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._tls = tls
        self._name = name or self._host
        self._proxy = urlsplit(proxy) if proxy else None
        host = f"[{self._host}]" if ":" in self._host else self._host
        self._headers = {
            "Host": f"{host}:{self._port}",
            "User-Agent": "shipline",
            "Accept": "application/json, */*",
        }
        self._idle: list[Connection] = []

    async def open(self) -> Connection:
        """A new connection."""
        async with asyncio.timeout(CONNECT_TIME):
            if self._proxy is not None:
                return await self._through_proxy()
            name = self._name if self._tls else None
            reader, writer = await asyncio.open_connection(
                self._host, self._port, ssl=self._tls, server_hostname=name, limit=HEAD_LIMIT
            )
            return Connection(reader, writer)

    async def _through_proxy(self) -> Connection:
        assert self._proxy is not None
        reader, writer = await asyncio.open_connection(
            self._proxy.hostname, self._proxy.port or 80, limit=HEAD_LIMIT
        )
        connection = Connection(reader, writer)
        headers = {"Host": f"{self._host}:{self._port}"}
        if self._proxy.username:
            login = f"{self._proxy.username}:{self._proxy.password or ''}".encode()
            headers["Proxy-Authorization"] = "Basic " + base64.b64encode(login).decode()
        await connection.send("CONNECT", f"{self._host}:{self._port}", headers)
        status, _ = await connection.head()
        if status != 200:
            connection.close()
            raise HttpError(f"the proxy {self._proxy.hostname} refused the connection with status {status}")
        if self._tls is not None:
            await writer.start_tls(self._tls, server_hostname=self._name)
        return connection

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        connection: Connection | None = None,
    ) -> tuple[Answer, Connection]:
        """Sends a request. The answer's body is read by the caller, who then closes the connection."""
        sent = {**self._headers, **headers}
        if body or method in ("POST", "PUT", "PATCH", "DELETE"):
            sent["Content-Length"] = str(len(body))
        while True:
            used = connection or (self._idle.pop() if self._idle else await self.open())
            try:
                await used.send(method, self._prefix + path, sent, body)
                status, fields = await used.head()
                used.fresh = False
                return Answer(status, fields, used), used
            except OSError:
                used.close()
                if used.fresh:
                    raise
                # the server had closed a connection that was kept: nothing was done, so ask again on another
            except BaseException:
                used.close()
                raise

    async def whole(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[Answer, bytes]:
        """A request and its whole answer; the connection is kept for the next."""
        answer, connection = await self.ask(method, path, headers, body)
        try:
            data = await answer.read()
        except BaseException:
            connection.close()
            raise
        if answer.headers.get("connection", "").lower() == "close" or connection.reader.at_eof():
            connection.close()
        else:
            self._idle.append(connection)
        return answer, data

    def close(self) -> None:
        """Lets go of the kept connections; a farewell could take as long as the network wants."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()
