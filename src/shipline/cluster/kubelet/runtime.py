"""What the engine runs for this cluster: found again by labels, and followed by the engine's events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from dataclasses import dataclass
from typing import Any

from shipline.cluster import labels
from shipline.cluster.engine import ContainerEngine
from shipline.cluster.errors import ContainerEngineError

Json = dict[str, Any]
log = logging.getLogger(__name__)

_NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Found:
    """A container that is there: its labels say whose it is. `state` is the engine's word."""

    id: str
    state: str
    labels: dict[str, str]
    address: str = ""

    @property
    def networked(self) -> bool:
        """It holds a network namespace of its own."""
        return self.labels.get(labels.ROLE) in (labels.SANDBOX, labels.NODE)

    @property
    def attempt(self) -> int:
        """Which run of the container this is, from 0."""
        return int(self.labels.get(labels.ATTEMPT, "0"))


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended. Times are RFC 3339 to the second, "" when unknown."""

    code: int
    out_of_memory: bool
    started_at: str
    finished_at: str
    error: str


class Runtime:
    """The cluster's containers. `follow` must run for `ended` to answer."""

    def __init__(self, engine: ContainerEngine, cluster: str) -> None:
        self.engine = engine
        self._cluster = cluster
        self._ends: dict[str, asyncio.Event] = {}
        self._killed_by_memory: set[str] = set()
        self.trouble = ""  # why the engine cannot be used now

    async def containers(self) -> list[Found]:
        """Every container of the cluster, running or not."""
        listed = await self.engine.find("containers/json", [labels.of_cluster(self._cluster)], all=True)
        found = []
        for one in listed:
            networks = ((one.get("NetworkSettings") or {}).get("Networks") or {}).values()
            address = next(
                (
                    net.get("IPAddress") or (net.get("IPAMConfig") or {}).get("IPv4Address") or ""
                    for net in networks
                ),
                "",
            )
            found.append(Found(one["Id"], one["State"], one.get("Labels") or {}, address))
        return found

    async def follow(self) -> None:
        """Keep up with the engine's events, for ever; what happened while the stream was down is looked up."""
        wanted = {"type": ["container"], "label": [labels.of_cluster(self._cluster)], "event": ["die", "oom"]}
        while True:
            looking = asyncio.create_task(self._look())
            try:
                async for event in self.engine.lines("events", filters=json.dumps(wanted)):
                    self._noted(event)
                await looking
            except (ContainerEngineError, OSError) as error:
                if self.trouble != str(error):
                    log.warning("the engine's events have stopped: %s", error)
                self.trouble = str(error)
            finally:
                looking.cancel()
            await asyncio.sleep(1)

    def _noted(self, event: Json) -> None:
        container = (event.get("Actor") or {}).get("ID") or event.get("id", "")
        if event.get("Action") == "oom":
            self._killed_by_memory.add(container)
        elif container in self._ends:
            self._ends[container].set()

    async def _look(self) -> None:
        """Ends that no event told of; the stream of events is open a moment later."""
        await asyncio.sleep(0.1)
        running = {found.id for found in await self.containers() if found.state not in ("exited", "dead")}
        self.trouble = ""
        for container, end in self._ends.items():
            if container not in running:
                end.set()

    async def ended(self, container: str) -> Exit:
        """Wait until a container has ended. Call `expect` before it is started."""
        await self.expect(container).wait()
        return await self.exit(container)

    def expect(self, container: str) -> asyncio.Event:
        """Listen for the end of a container from now on."""
        return self._ends.setdefault(container, asyncio.Event())

    async def exit(self, container: str) -> Exit:
        """How an ended container ended; one that has vanished counts as killed."""
        try:
            state = (await self.engine.get(f"containers/{container}/json"))["State"]
        except ContainerEngineError as error:
            if error.status != 404:
                raise
            return Exit(137, False, "", "", "The container could not be located when the pod was terminated")
        out_of_memory = bool(state.get("OOMKilled")) or container in self._killed_by_memory
        return Exit(
            int(state.get("ExitCode") or 0),
            out_of_memory,
            seconds(state.get("StartedAt", "")),
            seconds(state.get("FinishedAt", "")),
            state.get("Error") or "",
        )

    async def kill(self, container: str, signal: str) -> None:
        """Send a signal; a container that is not running takes none."""
        try:
            await self.engine.post(f"containers/{container}/kill", signal=signal)
        except ContainerEngineError as error:
            if error.status not in (404, 409):
                raise

    async def remove(self, container: str, networked: bool = False) -> None:
        """Remove a container, running or not; `networked` says that it has a network of its own."""
        self._killed_by_memory.discard(container)
        await asyncio.shield(self._remove(container, networked))
        if end := self._ends.pop(container, None):
            end.set()

    async def _remove(self, container: str, networked: bool) -> None:
        async with self.engine.network.leaves() if networked else contextlib.nullcontext():
            await self.engine.delete(f"containers/{container}", force=True, v=True)


def seconds(moment: str) -> str:
    """The engine's nanosecond time as Kubernetes writes times; "" for none."""
    return "" if not moment or moment == _NEVER else moment.split(".")[0].rstrip("Z") + "Z"
