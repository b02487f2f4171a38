"""Which executor a job gets, and what the executors of one runner share: a cluster's client, repository copies."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from shipline.protocol.payload import JobPayload
from shipline.runner.config import RunnerConfig
from shipline.runner.errors import RunnerError
from shipline.runner.executor import Executor
from shipline.runner.job import Job
from shipline.runner.repository import RepositoryCopies
from shipline.runner.sites import Sites
from shipline.runner.trace.trace import Trace
from shipline.runner.workspace import Workspace

if TYPE_CHECKING:
    from shipline.objects.objects import Objects
    from shipline.runner.cache.caches import Caches
    from shipline.runner.local.checkout import Checkouts
    from shipline.runner.local.removal import Removal
    from shipline.runner.pod.cluster import Cluster


class Executors:
    """Makes executors. What they share is opened by the first that needs it; `close` closes it."""

    def __init__(self, config: RunnerConfig, notify: Callable[[str], None]) -> None:
        self.config = config
        self.notify = notify
        self._cluster: asyncio.Task[Cluster] | None = None
        self._numbers: set[int] = set()
        self._workspace = Workspace()
        self._copies = RepositoryCopies(self._workspace)
        self._checkouts: Checkouts | None = None
        self._cache: Objects | None = None
        self._removal: Removal | None = None

    def job(self, payload: JobPayload) -> Job:
        """The job, with the lowest number that no running job has; `release` frees it."""
        number = next(n for n in range(len(self._numbers) + 1) if n not in self._numbers)
        self._numbers.add(number)
        builds = self.config.builds_dir or "/builds"
        if self.name_for(payload) == "shell":
            parent: str | Path = self.config.builds_dir or self._workspace.path
            if self.config.keep_failed and (sites := Sites.of(self.config)):
                parent = sites.folders
            builds = f"{parent}/job-{payload.id}-{os.urandom(4).hex()}"
        return Job(payload, self.config, builds=builds, number=number)

    def release(self, job: Job) -> None:
        self._numbers.discard(job.number)

    @property
    def folder(self) -> Path:
        """Where archives are while they are on their way; it goes with `close`."""
        return self._workspace.path

    def name_for(self, payload: JobPayload) -> str:
        """`kubernetes` or `shell`."""
        if self.config.executor != "auto":
            return self.config.executor
        return "kubernetes" if payload.image or self.config.kubernetes.image else "shell"

    async def make(self, job: Job, trace: Trace) -> Executor:
        """The executor for a job; nothing is started yet."""
        if self.name_for(job.payload) == "shell":
            from shipline.runner.local.checkout import Checkouts
            from shipline.runner.local.executor import ShellExecutor
            from shipline.runner.local.removal import Removal

            self._checkouts = self._checkouts or Checkouts(self._workspace)
            self._removal = self._removal or Removal()
            return ShellExecutor(self._checkouts, self._copies, self._removal, job, trace)
        from shipline.runner.pod.executor import PodExecutor

        return PodExecutor(await self.cluster(), self._copies, job, trace)

    async def caches(self, job: Job, executor: Executor, trace: Trace) -> Caches | None:
        """The job's caches; None, which its log says, when this runner has no place for them. The first call also
        removes what a killed runner left half done."""
        from shipline.objects.folder import Folder
        from shipline.runner.cache.caches import Caches
        from shipline.runner.cache.store import open_cache

        try:
            if self._cache is None and (place := open_cache(self.config)) is not None:
                if isinstance(place, Folder):
                    await asyncio.to_thread(place.tidy)
                self._cache = place
        except RunnerError as error:
            trace.warning(f"no cache can be used: {error}")
            return None
        if self._cache is None:
            trace.warning("no cache is configured: nothing is restored or saved")
            return None
        return Caches(job, self._cache, executor.files(), trace, self._workspace.path)

    async def cluster(self) -> Cluster:
        """The connection to the cluster; the first call also settles what an earlier runner left there."""
        if self._cluster is None:
            from shipline.runner.pod.cluster import connect

            self._cluster = asyncio.create_task(connect(self.config, self.notify))
        return await asyncio.shield(self._cluster)

    async def close(self) -> None:
        if self._cluster is not None:
            await asyncio.wait([self._cluster])
            if not self._cluster.cancelled() and not self._cluster.exception():
                await self._cluster.result().close()
        await self._copies.close()
        if self._checkouts is not None:
            await self._checkouts.close()
            from shipline.runner.local.stragglers import kill_stragglers

            kill_stragglers(self._workspace.path)
        if self._removal is not None:
            await self._removal.finish()
        self._workspace.close()
