"""How this process connects to pods: straight where their network is routed here, else through a container.

Docker on Linux routes it; Docker Desktop, rootless engines and engines elsewhere do not.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from typing import Protocol

from shipline.cluster.engine import STDOUT, Attached, ContainerEngine
from shipline.cluster.errors import ContainerEngineError

_CHUNK = 65536
# Neither `nc` nor `socat` tells when it is connected, only when it failed: it is when it is there after a while.
_SCRIPT = """
(sleep 0.05; read -r name </proc/$$/comm; case "$name" in nc|socat) echo open >&2;; esac) &
command -v nc >/dev/null && exec nc -w 3 "$1" "$2"
exec socat -t 600 - "TCP:$1:$2,connect-timeout=3"
"""


class Connection(Protocol):
    """Bytes both ways. `read` answers b"" at the end; `close_write` ends what this side sends."""

    async def read(self) -> bytes: ...

    async def write(self, data: bytes) -> None: ...

    async def close_write(self) -> None: ...

    async def close(self) -> None: ...


class Direct:
    """A TCP connection of this process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        """The next bytes."""
        return await self._reader.read(_CHUNK)

    async def write(self, data: bytes) -> None:
        """Send, waiting while the other side is slow."""
        self._writer.write(data)
        await self._writer.drain()

    async def close_write(self) -> None:
        """Half close."""
        if self._writer.can_write_eof():
            with contextlib.suppress(OSError):
                self._writer.write_eof()

    async def close(self) -> None:
        """Close."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class Relayed:
    """A connection that a program makes inside a container."""

    def __init__(self, attached: Attached) -> None:
        self._attached = attached
        self._output = attached.output()
        self._first: bytes | None = None

    async def connected(self) -> bool:
        """Whether it got through; see `_SCRIPT`."""
        async for stream, data in self._output:
            if stream == STDOUT:
                self._first = data
                return True
            return b"open" in data
        return False

    async def read(self) -> bytes:
        """The next bytes."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        async for stream, data in self._output:
            if stream == STDOUT:
                return data
        return b""

    async def write(self, data: bytes) -> None:
        """Send."""
        await self._attached.write(data)

    async def close_write(self) -> None:
        """Half close."""
        self._attached.close_write()

    async def close(self) -> None:
        """Close; the program ends with its input."""
        self._attached.close_write()
        await self._attached.close()


async def relay(engine: ContainerEngine, container: str, address: str, port: int) -> Relayed:
    """Connect from inside a container; ConnectionRefusedError when nothing listens."""
    command = ["sh", "-c", _SCRIPT, "sh", address, str(port)]
    body = {"Cmd": command, "AttachStdin": True, "AttachStdout": True, "AttachStderr": True}
    try:
        created = await engine.post(f"containers/{container}/exec", body)
        attached = await engine.attach(f"exec/{created['Id']}/start", {"Detach": False, "Tty": False})
    except ContainerEngineError as error:
        raise ConnectionRefusedError(errno.ECONNREFUSED, error.message) from None
    connection = Relayed(attached)
    if not await connection.connected():
        await connection.close()
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    return connection


class Reach:
    """Connections to pods. `node` is the container to go through where `routed` is False."""

    def __init__(self, engine: ContainerEngine, node: str, routed: bool) -> None:
        self._engine = engine
        self._node = node
        self.routed = routed

    async def open(self, address: str, port: int) -> Connection:
        """Connect to a pod's port; OSError as a socket gives it."""
        if self.routed:
            return Direct(*await asyncio.open_connection(address, port))
        return await relay(self._engine, self._node, address, port)


async def is_routed(address: str, port: int) -> bool:
    """Whether an address in the cluster's network can be reached from here; `port` is open there."""
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
