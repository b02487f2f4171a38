"""Node ports on the host's loopback: `curl http://127.0.0.1:30194/` as if this machine were the node.

A connection goes straight to a pod; one that is refused goes to the next, so a rollout shows no failed request
where a pod has just gone or not yet begun to listen.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Iterable

from shipline.cluster.network.endpoints import ServicePort
from shipline.cluster.network.reach import Connection, Direct, Reach

log = logging.getLogger(__name__)

_CONNECT_TIMEOUT = 3.0
_PATIENCE = 2.0  # seconds in which a backend that refuses may still begin to listen
_PAUSE = 0.1
# (port, message): the port cannot be had.
Complain = Callable[[ServicePort, str], None]


class NodePorts:
    """The listeners of all node ports. `update` brings them in line with the Services."""

    def __init__(self, reach: Reach, address: str, complain: Complain) -> None:
        self._reach = reach
        self._address = address
        self._complain = complain
        self._listeners: dict[int, asyncio.Server] = {}
        self._ports: dict[int, ServicePort] = {}
        self._refused: set[int] = set()
        self._turn = itertools.count()

    async def update(self, ports: Iterable[ServicePort]) -> None:
        """Listen on exactly the TCP node ports of `ports`."""
        self._ports = {port.node_port: port for port in ports if port.node_port and port.protocol == "TCP"}
        for number in [number for number in self._listeners if number not in self._ports]:
            self._listeners.pop(number).close()
        self._refused &= set(self._ports)
        for number, port in self._ports.items():
            if number not in self._listeners:
                await self._listen(number, port)

    async def _listen(self, number: int, port: ServicePort) -> None:
        try:
            self._listeners[number] = await asyncio.start_server(
                lambda reader, writer: self._serve(number, Direct(reader, writer)), self._address, number
            )
            self._refused.discard(number)
        except OSError as error:
            if number not in self._refused:
                self._refused.add(number)
                where = f"node port {number} cannot be opened on {self._address}: {error.strerror or error}"
                cure = "free the port or choose another nodePort (inside the cluster the Service works)"
                self._complain(port, f"{where}; {cure}")

    async def _serve(self, number: int, client: Connection) -> None:
        try:
            backend = await self._connect(number)
            if backend is None:
                return
            try:
                await join(client, backend)
            finally:
                await backend.close()
        except Exception as error:  # one connection's trouble is not the listener's
            log.debug("node port %d: %s", number, error)
        finally:
            with contextlib.suppress(OSError):
                await client.close()

    async def _connect(self, number: int) -> Connection | None:
        """A backend that answers; None when none has within a while."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE
        while True:
            port = self._ports.get(number)
            backends = port.backends if port else ()
            first = next(self._turn)
            for index in range(len(backends)):
                address, target = backends[(first + index) % len(backends)]
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(_CONNECT_TIMEOUT):
                        return await self._reach.open(address, target)
            if not backends or loop.time() >= end:
                return None
            await asyncio.sleep(_PAUSE)

    async def close(self) -> None:
        """Stop listening; open connections end with the process."""
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()


async def join(one: Connection, other: Connection) -> None:
    """Carry bytes both ways until both directions have ended."""

    async def carry(source: Connection, target: Connection) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read():
                await target.write(data)
        with contextlib.suppress(OSError):
            await target.close_write()

    await asyncio.gather(carry(one, other), carry(other, one))
