"""Tells the log which service failed or was late, with the last lines that it printed; or all that they print."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from shipline.runner.errors import JobFailed
from shipline.runner.job import Job
from shipline.runner.kubernetes.client import Client
from shipline.runner.kubernetes.errors import ApiError, Unreachable
from shipline.runner.pod import states
from shipline.runner.pod.services import Service, aliases
from shipline.runner.pod.spec import PodPlan
from shipline.runner.trace.trace import Trace

Object = dict[str, Any]

LAST_LINES = 15
GREY, RESET = b"\x1b[0;90m", b"\x1b[0;m"


class ServiceWatch:
    """`look` with each state of the pod; `wait_ready` before the script; `close` at the end. `aloud`: the log gets
    all that services print, as CI_DEBUG_SERVICES wants it."""

    def __init__(self, client: Client, plan: PodPlan, trace: Trace, *, aloud: bool = False) -> None:
        self._client = client
        self._plan = plan
        self._trace = trace
        self._named: set[str] = set()
        self._telling: set[asyncio.Task[None]] = set()
        self._aloud = aloud
        self._heard: dict[str, asyncio.Task[None]] = {}

    def look(self, pod: Object) -> None:
        """A service that ended is named once."""
        for service in self._plan.services:
            state = states.container_status(pod, service.container).get("state", {})
            ended = state.get("terminated")
            if self._aloud and (ended or "running" in state) and service.container not in self._heard:
                self._heard[service.container] = asyncio.create_task(self._repeat(service))
            if ended and service.container not in self._named and not pod["metadata"].get("deletionTimestamp"):
                why = f"ended with exit code {ended.get('exitCode')}"
                if ended.get("reason") == "OOMKilled":
                    why += " (out of memory: raise service_memory_limit)"
                self._tell(service, why)

    async def _repeat(self, service: Service) -> None:
        plan = self._plan
        usual = aliases(service.image, ())
        given = [alias for alias in service.aliases if alias not in usual]
        called = "-".join([service.image.partition(":")[0], *given]).encode()
        try:
            async for line in self._client.lines(plan.namespace, plan.name, service.container):
                self._trace.write(b"%s[service:%s] %s%s\n" % (GREY, called, line, RESET))
        except (ApiError, Unreachable) as error:
            self._trace.warning(f"the log of service {service.title} cannot be shown: {error}")

    def _tell(self, service: Service, why: str) -> None:
        self._named.add(service.container)
        task = asyncio.create_task(self._show(service, why))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _show(self, service: Service, why: str) -> None:
        plan = self._plan
        text = await self._client.logs(plan.namespace, plan.name, service.container, tail=LAST_LINES)
        lines = "".join(f"  {service.container} | {line}\n" for line in text.splitlines())
        self._trace.warning(
            f"service {service.title} {why}." + (" Its last lines:" if lines else " It printed nothing.")
        )
        self._trace.write(lines.encode())

    async def wait_ready(self, job: Job, pod: Callable[[], Object], changed: asyncio.Event) -> None:
        """Waits for the services that name a HEALTHCHECK_TCP_PORT; one that is late is named, and the job goes
        on. JobFailed for one that ends instead."""
        limit = job.variables.number("WAIT_FOR_SERVICES_TIMEOUT", 30)
        deadline = asyncio.get_running_loop().time() + limit
        waiting = [service for service in self._plan.services if service.port and limit > 0]
        while waiting:
            now = pod()
            waiting = [each for each in waiting if not states.is_ready(now, each.container)]
            if not waiting:
                break
            if over := next((each for each in waiting if each.container in self._named), None):
                if self._telling:
                    await asyncio.wait(set(self._telling))
                raise JobFailed(
                    f"service {over.title} ended before it answered on TCP port {over.port}",
                    "runner_system_failure",
                )
            try:
                await asyncio.wait_for(changed.wait(), deadline - asyncio.get_running_loop().time())
            except TimeoutError:
                for service in waiting:
                    self._tell(
                        service, f"does not answer on TCP port {service.port} after {limit}s; the job goes on"
                    )
                break
        if self._telling:
            await asyncio.wait(set(self._telling))

    async def close(self) -> None:
        """Ends what is still being told."""
        tasks = self._telling | set(self._heard.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
