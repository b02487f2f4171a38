"""Sends the log to the coordinator while it grows, from where the coordinator is, and hears of cancels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shipline.protocol.coordinator import Answer, Coordinator
from shipline.protocol.payload import JobPayload
from shipline.runner.trace.spool import Spool

LARGEST = 1 << 20  # bytes of one append
PAUSE = 0.05  # seconds from the first new byte to its append, so that what comes with it is in the same one;
# more where the coordinator asks for more
RETRIES = 10


class Sender:
    """`wake` whenever the spool grew, `finish` once: it returns when everything is sent.

    `heard` is called with each answer's job status.
    """

    def __init__(
        self, coordinator: Coordinator, job: JobPayload, spool: Spool, heard: Callable[[str], None]
    ) -> None:
        self._coordinator = coordinator
        self._job = job
        self._spool = spool
        self._heard = heard
        self._sent = 0
        self._lock = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._asked_for = 0.0
        self._pause: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None

    def wake(self) -> None:
        if self._pause is None:
            self._pause = self._loop.call_later(max(PAUSE, self._asked_for), self._begin)

    def _begin(self) -> None:
        self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        async with self._lock:
            self._pause = None
            await self._send_up_to(self._spool.size)
            if self._sent < self._spool.size:  # what came meanwhile waits for as long as the coordinator wants
                self.wake()

    async def _send_up_to(self, end: int) -> None:
        failures = 0
        while self._sent < end:
            data = self._spool.read(self._sent, LARGEST)
            try:
                answer = await self._coordinator.append_trace(self._job, self._sent, data)
            except (OSError, TimeoutError):
                failures += 1
                if failures > RETRIES:
                    raise
                await asyncio.sleep(min(0.1 * 2**failures, 60))
                continue
            failures = 0
            self._take(answer)

    def _take(self, answer: Answer) -> None:
        self._sent = min(answer.trace_offset, self._spool.size)
        self._asked_for = answer.pause
        self._heard(answer.job_status)

    async def finish(self) -> None:
        async with self._lock:  # never cancelled inside an append: nothing is sent twice
            if self._pause is not None:
                self._pause.cancel()
            if self._sending is not None:
                self._sending.cancel()
            await self._send_up_to(self._spool.size)
