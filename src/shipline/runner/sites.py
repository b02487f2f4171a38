"""Where the jobs of this machine are while they run, and where failed ones are that were kept: a small file a job.

Whoever wants to look into a job (`shipline shell`) finds it by its number; what is kept is never forgotten, since
its file names it until it is removed. A file holds no secret. The folders of jobs that may be kept are under
`folders`, outside of the runner's own folder, which goes when the runner does.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from shipline.runner.config import RunnerConfig
from shipline.runner.job import Job
from shipline.runner.process_mark import lives, process_mark

HOLD = 24 * 3600
"""Seconds after its job's timeout until a kept pod ends by itself."""


class Site(msgspec.Struct, frozen=True):
    """`project` is the project folder as the job sees it; `scripts` the folder of its stages' programs. `folder` is
    a shell job's own; `pod` and `namespace` are a pod's, in the cluster of `kubeconfig` and `context`, or of the
    runner called `runner`. `kept_at` is None while the job runs."""

    job: int
    name: str
    project_id: int
    project: str
    scripts: str
    runner: str
    process: str
    folder: str = ""
    shell: str = ""
    pod: str = ""
    namespace: str = ""
    kubeconfig: str = ""
    context: str = ""
    kept_at: float | None = None

    @property
    def executor(self) -> Literal["shell", "kubernetes"]:
        return "kubernetes" if self.pod else "shell"


def site_of(job: Job, scripts: str, **more: Any) -> Site:
    """The site of a job that begins."""
    info = job.payload.job_info
    return Site(
        job=job.payload.id,
        name=info.name,
        project_id=info.project_id,
        project=job.places.project,
        scripts=scripts,
        runner=job.config.name,
        process=process_mark(),
        **more,
    )


class Sites:
    """The files of a directory; made when the first is written."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @classmethod
    def of(cls, config: RunnerConfig) -> Sites | None:
        """None where the configuration names no directory: nothing is told, and nothing can be kept."""
        return cls(Path(config.sites_dir)) if config.sites_dir else None

    @property
    def folders(self) -> Path:
        """Where the folders are of shell jobs that may be kept."""
        return self._directory / "folders"

    def put(self, site: Site) -> None:
        path = self._path(site.job)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except FileNotFoundError:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, msgspec.json.encode(site))
        finally:
            os.close(descriptor)

    def keep(self, site: Site) -> None:
        """The job has failed, and what it left stays."""
        self.put(msgspec.structs.replace(site, kept_at=time.time()))

    def forget(self, job: int) -> None:
        with contextlib.suppress(OSError):
            self._path(job).unlink()

    def get(self, job: int) -> Site | None:
        """The site of a job that runs or is kept."""
        return self._read(self._path(job))

    def kept(self) -> list[Site]:
        """What is kept, oldest first."""
        found = [site for site in self if site.kept_at is not None]
        return sorted(found, key=lambda site: site.kept_at or 0)

    def abandoned(self) -> list[Site]:
        """Sites of jobs that ran when their runner was killed."""
        return [site for site in self if site.kept_at is None and not lives(site.process)]

    def __iter__(self) -> Iterator[Site]:
        try:
            paths = list(self._directory.iterdir())
        except OSError:
            return
        for path in paths:
            if path.suffix == ".json" and (site := self._read(path)) is not None:
                yield site

    def _path(self, job: int) -> Path:
        return self._directory / f"{job}.json"

    def _read(self, path: Path) -> Site | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=Site)
        except (OSError, msgspec.MsgspecError):
            return None
