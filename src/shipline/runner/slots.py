"""How many jobs run at a time, for all runners of a process together (`concurrent`): a coordinator in front of
another, which asks for a job only when there is a place for it."""

from __future__ import annotations

import asyncio
from typing import Literal

from shipline.protocol.coordinator import Answer, Coordinator, JobUpdate
from shipline.protocol.payload import JobPayload


class Slots:
    """Implements `shipline.protocol.coordinator.Coordinator`. A place is free again when its job's end is reported,
    or could not be."""

    def __init__(self, coordinator: Coordinator, places: asyncio.Semaphore) -> None:
        self._coordinator = coordinator
        self._places = places

    async def request_job(self, tags: frozenset[str], run_untagged: bool) -> JobPayload | None:
        await self._places.acquire()
        payload = None
        try:
            payload = await self._coordinator.request_job(tags, run_untagged)
            return payload
        finally:
            if payload is None:
                self._places.release()

    async def append_trace(self, job: JobPayload, offset: int, data: bytes) -> Answer:
        return await self._coordinator.append_trace(job, offset, data)

    async def update_job(self, job: JobPayload, update: JobUpdate) -> Answer:
        try:
            return await self._coordinator.update_job(job, update)
        finally:
            if update.state != "running":
                self._places.release()

    async def wait_canceled(self, job: JobPayload) -> Literal["canceling", "canceled"]:
        return await self._coordinator.wait_canceled(job)
