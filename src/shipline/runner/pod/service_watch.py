"""Tells the log which service failed or was late, with the last lines that it printed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from shipline.runner.job import Job
from shipline.runner.kubernetes.client import Client
from shipline.runner.pod import states
from shipline.runner.pod.services import Service
from shipline.runner.pod.spec import PodPlan
from shipline.runner.trace.trace import Trace

Object = dict[str, Any]

LAST_LINES = 15


class ServiceWatch:
    """`look` with each state of the pod; `wait_ready` before the script; `close` at the end."""

    def __init__(self, client: Client, plan: PodPlan, trace: Trace) -> None:
        self._client = client
        self._plan = plan
        self._trace = trace
        self._named: set[str] = set()
        self._telling: set[asyncio.Task[None]] = set()

    def look(self, pod: Object) -> None:
        """A service that ended is named once."""
        for service in self._plan.services:
            ended = states.container_status(pod, service.container).get("state", {}).get("terminated")
            if ended and service.container not in self._named and not pod["metadata"].get("deletionTimestamp"):
                why = f"ended with exit code {ended.get('exitCode')}"
                if ended.get("reason") == "OOMKilled":
                    why += " (out of memory: raise service_memory_limit)"
                self._tell(service, why)

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
        on."""
        limit = job.variables.number("WAIT_FOR_SERVICES_TIMEOUT", 30)
        deadline = asyncio.get_running_loop().time() + limit
        waiting = [service for service in self._plan.services if service.port and limit > 0]
        while waiting:
            now = pod()
            waiting = [
                each
                for each in waiting
                if not states.is_ready(now, each.container) and each.container not in self._named
            ]
            if not waiting:
                break
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
        for task in self._telling:
            task.cancel()
        if self._telling:
            await asyncio.wait(set(self._telling))
