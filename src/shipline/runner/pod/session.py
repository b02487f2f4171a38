"""The one stream between the runner and a job's pod: scripts in, log and exit statuses out.

When the connection breaks a new one goes on at the byte where the old one ended, and says again what the running
stage had been told; the loops in the pod take an order once, however often it is said.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from shipline.runner.errors import JobFailed
from shipline.runner.kubernetes.client import Client
from shipline.runner.kubernetes.errors import ApiError, Unreachable
from shipline.runner.kubernetes.streams import STDOUT, Exec
from shipline.runner.pod import agent

ATTEMPTS = 12  # in a row without a byte received
LONGEST_PAUSE = 5.0  # seconds between them


class Session:
    """`start` when the helper runs; then `run` one stage at a time; `close` once.

    `output` gets the log's bytes. `run` raises JobFailed when the pod can't be reached any more.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        pod: str,
        *,
        scripts: str,
        log: str,
        key: str,
        output: Callable[[bytes], None],
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._pod = pod
        self._scripts = scripts
        self._log = log
        self._output = output
        self._reader = agent.LogReader(key)
        self._offset = 0
        self._number = 0
        self._container = ""
        self._archives: list[tuple[Path, str]] = []
        self._script = ""
        self._exited: asyncio.Future[int] | None = None
        self._exec: Exec | None = None
        self._speaking = asyncio.Lock()  # a frame is never cut by another
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to connect; what is said before the connection stands waits for it."""
        self._task = asyncio.create_task(self._stay_connected())

    async def run(self, container: str, script: str, archives: list[tuple[Path, str]] | None = None) -> int:
        """Runs a stage in `build` or `helper` and returns its exit status. `archives` (tar file, folder) are
        unpacked in the helper first."""
        self._number += 1
        self._container, self._script, self._archives = container, script, archives or []
        self._exited = asyncio.get_running_loop().create_future()
        with contextlib.suppress(Unreachable):
            if self._exec is not None:
                await self._say_stage(self._exec)
        return await self._exited

    async def signal(self, verb: str) -> None:
        """`stop` or `kill`: ends the running stage's processes."""
        if self._exited is not None and not self._exited.done() and self._exec is not None:
            with contextlib.suppress(Unreachable):
                async with self._speaking:
                    await self._exec.write(agent.order(verb, self._container, self._number))

    async def _say_stage(self, connection: Exec) -> None:
        async with self._speaking:
            for archive, folder in self._archives:
                for part in agent.unpack(archive, folder):
                    await connection.write(part)
            run = agent.order("run", self._container, self._number)
            await connection.write(agent.put(self._number, self._script) + run)

    async def _stay_connected(self) -> None:
        failures = 0
        while True:
            before = self._offset
            try:
                await self._connect_once()
                error: Exception = Unreachable("the stream ended")
            except (ApiError, Unreachable) as caught:
                error = caught
            except Exception as caught:
                self._fail(JobFailed(f"the pod's stream: {type(caught).__name__}: {caught}"))
                return
            failures = 1 if self._offset > before else failures + 1
            if failures > ATTEMPTS or (isinstance(error, ApiError) and error.code in (401, 403, 404)):
                self._fail(self._lost(error))
                return
            await asyncio.sleep(min(0.05 * 2**failures, LONGEST_PAUSE))

    def _lost(self, error: Exception) -> JobFailed:
        hint = ""
        if isinstance(error, ApiError) and error.code == 403:
            hint = (
                f"The runner's account needs the verbs get and create on pods/exec in the "
                f"namespace {self._namespace}."
            )
        return JobFailed(f"the stream to pod {self._namespace}/{self._pod} is lost: {error}", hint=hint)

    def _fail(self, failure: JobFailed) -> None:
        if self._exited is None:
            self._exited = asyncio.get_running_loop().create_future()
        if not self._exited.done():
            self._exited.set_exception(failure)

    async def _connect_once(self) -> None:
        command = agent.agent(self._scripts, self._log, self._offset)
        connection = await Exec.start(self._client, self._namespace, self._pod, "helper", command)
        self._exec = connection
        try:
            saying = None
            if self._exited is not None and not self._exited.done():
                saying = asyncio.create_task(self._say_stage(connection))
            try:
                async for stream, data in connection.output():
                    if stream == STDOUT:
                        self._take(data)
            finally:
                if saying is not None:
                    saying.cancel()
                    await asyncio.wait([saying])
        finally:
            self._exec = None
            await connection.close()

    def _take(self, data: bytes) -> None:
        self._offset += len(data)
        for part in self._reader.feed(data):
            if isinstance(part, bytes):
                self._output(part)
            elif part[0] == self._number and self._exited is not None and not self._exited.done():
                self._exited.set_result(part[1])

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._exited is not None and self._exited.done() and not self._exited.cancelled():
            self._exited.exception()
