"""A node whose containers are this machine: exec runs programs here, ports are the loopback's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.streams import STDERR, STDOUT, ByteStream, ContainerStream


class ProcessStream:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.size: tuple[int, int] | None = None

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        queue: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()

        async def copy(channel: int, reader: asyncio.StreamReader) -> None:
            while data := await reader.read(32768):
                await queue.put((channel, data))
            await queue.put(None)

        assert self._process.stdout is not None and self._process.stderr is not None
        copies = [
            asyncio.create_task(copy(STDOUT, self._process.stdout)),
            asyncio.create_task(copy(STDERR, self._process.stderr)),
        ]
        ended = 0
        while ended < len(copies):
            item = await queue.get()
            if item is None:
                ended += 1
            else:
                yield item

    async def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def close_stdin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def resize(self, width: int, height: int) -> None:
        self.size = (width, height)

    async def exit_code(self) -> int:
        return await self._process.wait()

    async def close(self) -> None:
        if self._process.returncode is None:
            self._process.kill()


class SocketStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        return await self._reader.read(65536)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def close_write(self) -> None:
        self._writer.write_eof()

    async def close(self) -> None:
        self._writer.close()


class LaptopNode:
    async def exec(
        self, pod: dict[str, Any], container: str, command: Sequence[str], *, tty: bool, stdin: bool
    ) -> ContainerStream:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe if stdin else asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
            )
        except OSError:
            raise ApiError(500, "InternalError", f'exec: "{command[0]}": executable file not found') from None
        return ProcessStream(process)

    async def attach(self, pod: dict[str, Any], container: str, *, tty: bool, stdin: bool) -> ContainerStream:
        return await self.exec(pod, container, ["sh", "-c", "read x; echo got $x; exit 4"], tty=tty, stdin=stdin)

    async def portforward(self, pod: dict[str, Any], port: int) -> ByteStream:
        return SocketStream(*await asyncio.open_connection("127.0.0.1", port))

    async def logs(
        self,
        pod: dict[str, Any],
        container: str,
        *,
        follow: bool = False,
        previous: bool = False,
        since: datetime | None = None,
        tail: int | None = None,
        limit_bytes: int | None = None,
        timestamps: bool = False,
    ) -> AsyncIterator[bytes]:
        if previous:
            message = f'previous terminated container "{container}" in pod "{pod["metadata"]["name"]}" not found'
            raise ApiError(400, "BadRequest", message)
        lines = [f"line {i}\n".encode() for i in range(5)][-(tail or 5) :]

        async def chunks() -> AsyncIterator[bytes]:
            for line in lines:
                yield line

        return chunks()
