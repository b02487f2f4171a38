"""The node's end of exec, attach, logs and port-forward: the engine's streams in the API's terms."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from shipline.cluster.api.errors import ApiError, bad_request
from shipline.cluster.api.streams import STDERR, STDOUT, ByteStream, ContainerStream
from shipline.cluster.engine import Attached, ContainerEngine, unframed
from shipline.cluster.errors import ContainerEngineError
from shipline.cluster.kubelet.kubelet import Kubelet
from shipline.cluster.network.reach import relay

Json = dict[str, Any]

_POLL = 0.02
_RUNTIME_ERROR = b"OCI runtime exec failed"


def _internal(message: str) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})


class Process:
    """A process that was started by exec."""

    def __init__(self, engine: ContainerEngine, id: str, attached: Attached) -> None:
        self._engine = engine
        self._id = id
        self._attached = attached
        self._chunks = attached.output()
        self._first: asyncio.Future[tuple[int, bytes]] | None = None

    async def begun(self) -> str | None:
        """Wait until the process runs; None, or the runtime's words when it cannot be started.

        The engine says so only where the process's output would be.
        """
        self._first = first = asyncio.ensure_future(anext(self._chunks))
        while True:
            await asyncio.wait({first}, timeout=_POLL)
            if first.done():
                break
            described = await self._engine.get(f"exec/{self._id}/json")
            if described.get("Running") and described.get("Pid"):
                return None
            if not described.get("Running") and described.get("ExitCode") is not None:
                break
        await asyncio.wait({first})
        if first.exception() is not None or not first.result()[1].startswith(_RUNTIME_ERROR):
            return None
        return (
            b"".join([first.result()[1], *[data async for _, data in self._chunks]])
            .decode(errors="replace")
            .strip()
        )

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """Until it ends."""
        first, self._first = self._first, None
        if first is not None:
            try:
                stream, data = await first
            except StopAsyncIteration:
                return
            yield (STDERR if stream == 2 else STDOUT), data
        async for stream, data in self._chunks:
            yield (STDERR if stream == 2 else STDOUT), data

    async def write(self, data: bytes) -> None:
        """To its standard input."""
        with contextlib.suppress(ConnectionError):
            await self._attached.write(data)

    async def close_stdin(self) -> None:
        """No more input."""
        self._attached.close_write()

    async def resize(self, width: int, height: int) -> None:
        """Its terminal's size; too late or too early does no harm."""
        with contextlib.suppress(ContainerEngineError):
            await self._engine.post(f"exec/{self._id}/resize", w=width, h=height)

    async def exit_code(self) -> int:
        """Its exit status. The engine may know it a moment after the streams have ended."""
        for _ in range(50):
            described = await self._engine.get(f"exec/{self._id}/json")
            if not described["Running"]:
                return int(described["ExitCode"] or 0)
            await asyncio.sleep(0.02)
        return 0

    async def close(self) -> None:
        """Let go."""
        await self._attached.close()


class MainProcess(Process):
    """A container's own process, attached to."""

    async def resize(self, width: int, height: int) -> None:
        """The container's terminal."""
        with contextlib.suppress(ContainerEngineError):
            await self._engine.post(f"containers/{self._id}/resize", w=width, h=height)

    async def exit_code(self) -> int:
        """An attach answers 0; the pod's status says how the container ended."""
        return 0


class Streams:
    """`NodeStreams` of this node."""

    def __init__(self, engine: ContainerEngine, kubelet: Kubelet) -> None:
        self._engine = engine
        self._kubelet = kubelet

    def _container(self, pod: Json, name: str) -> str:
        """The id of a running container."""
        worker = self._kubelet.worker(pod)
        for one in worker.workers if worker else ():
            if one.state.name == name:
                if one.state.running or one.running.is_set():
                    return one.state.id
                break
        raise _internal(f'unable to upgrade connection: container not found ("{name}")')

    async def exec(
        self, pod: Json, container: str, command: Sequence[str], *, tty: bool, stdin: bool
    ) -> ContainerStream:
        """Start a process in a running container."""
        target = self._container(pod, container)
        body = {
            "Cmd": list(command),
            "AttachStdin": stdin,
            "AttachStdout": True,
            "AttachStderr": not tty,
            "Tty": tty,
        }
        try:
            created = await self._engine.post(f"containers/{target}/exec", body)
            exec_id = created["Id"]
            attached = await self._engine.attach(f"exec/{exec_id}/start", {"Detach": False, "Tty": tty}, tty=tty)
        except ContainerEngineError as error:
            raise ApiError(500, "", f"failed to exec in container: {error.message}") from None
        process = Process(self._engine, exec_id, attached)
        if (failure := await process.begun()) is not None:
            await attached.close()
            raise ApiError(500, "", f'failed to exec in container: failed to start exec "{exec_id}": {failure}')
        return process

    async def attach(self, pod: Json, container: str, *, tty: bool, stdin: bool) -> ContainerStream:
        """Join a container's main process."""
        target = self._container(pod, container)
        query = f"stream=1&stdout=1&stderr=1&stdin={int(stdin)}"
        try:
            attached = await self._engine.attach(f"containers/{target}/attach?{query}", tty=tty)
        except ContainerEngineError as error:
            raise _internal(error.message) from None
        return MainProcess(self._engine, target, attached)

    async def portforward(self, pod: Json, port: int) -> ByteStream:
        """Connect to a port of the pod's own loopback."""
        worker = self._kubelet.worker(pod)
        sandbox = worker.sandbox if worker else None
        if sandbox is None or not sandbox.id:
            raise _internal("pod does not run")
        return await relay(self._engine, sandbox.id, "127.0.0.1", port)

    async def logs(
        self,
        pod: Json,
        container: str,
        *,
        follow: bool = False,
        previous: bool = False,
        since: datetime | None = None,
        tail: int | None = None,
        limit_bytes: int | None = None,
        timestamps: bool = False,
    ) -> AsyncIterator[bytes]:
        """A container's output; ApiError 400 while there is none to be had."""
        target = self._logged(pod, container, previous)
        query = f"stdout=1&stderr=1&follow={int(follow)}&timestamps={int(timestamps)}"
        if since is not None:
            query += f"&since={since.timestamp():.9f}"
        if tail is not None:
            query += f"&tail={tail}"
        spec = next(one for one in _containers(pod) if one["name"] == container)
        return self._chunks(target, query, bool(spec.get("tty")), limit_bytes)

    async def _chunks(self, target: str, query: str, tty: bool, left: int | None) -> AsyncIterator[bytes]:
        try:
            async with self._engine.response(f"containers/{target}/logs?{query}") as response:
                chunks = response.content.iter_any()
                async for chunk in chunks if tty else unframed(chunks):
                    if left is not None:
                        chunk, left = chunk[:left], left - len(chunk[:left])
                    yield chunk
                    if left is not None and left <= 0:
                        return
        except ContainerEngineError as error:
            if error.status != 404:
                raise _internal(error.message) from None
            yield f"unable to retrieve container logs for docker://{target}".encode()

    def _logged(self, pod: Json, container: str, previous: bool) -> str:
        """The id of the container whose log is asked for."""
        name = pod["metadata"]["name"]
        status = pod.get("status") or {}
        statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
        mine: Json = next((one for one in statuses if one["name"] == container), {})
        if previous:
            last = (mine.get("lastState") or {}).get("terminated")
            if not last:
                raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
            return str(last["containerID"]).removeprefix("docker://")
        if mine.get("containerID") and not (mine.get("state") or {}).get("waiting"):
            return str(mine["containerID"]).removeprefix("docker://")
        if last := (mine.get("lastState") or {}).get("terminated"):
            return str(last["containerID"]).removeprefix("docker://")
        reason = ((mine.get("state") or {}).get("waiting") or {}).get("reason", "ContainerCreating")
        why = _NOT_STARTED.get(reason, reason)
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {why}')


_NOT_STARTED = dict.fromkeys(("ErrImagePull", "ImagePullBackOff"), "trying and failing to pull image")


def _containers(pod: Json) -> list[Json]:
    return [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
