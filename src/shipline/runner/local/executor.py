"""The `shell` executor: each stage is a shell process on this machine, in a folder that only this job has."""

from __future__ import annotations

import asyncio
import functools
import os
import pwd
import socket
import time
from pathlib import Path

from shipline.runner.errors import JobFailed
from shipline.runner.executor import Stage
from shipline.runner.job import Job
from shipline.runner.local.checkout import Checkouts
from shipline.runner.local.files import ShellFiles
from shipline.runner.local.removal import Removal
from shipline.runner.local.stage_process import StageProcess
from shipline.runner.local.stragglers import kill_stragglers
from shipline.runner.modules import local_modules
from shipline.runner.process import found_program
from shipline.runner.repository import RepositoryCopies, local_path
from shipline.runner.script.sources import Sources
from shipline.runner.sites import Site, Sites, site_of
from shipline.runner.trace.trace import Trace
from shipline.runner.workspace import remove_tree

KEPT = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
# ruff: noqa: PTH102, PTH112 (each job's hot path: paths are plain strings)
# Looking for daemons takes some milliseconds: it is done after a job that took longer, and at the runner's end
LONG = 1.0  # seconds
SOON_OVER = 0.1  # seconds in which nobody comes to look into a job: none is told where it is


class ShellExecutor:
    """Made for one job; its folder is removed by `close` together with every process that is left."""

    def __init__(
        self, checkouts: Checkouts, copies: RepositoryCopies, removal: Removal, job: Job, trace: Trace
    ) -> None:
        self._checkouts = checkouts
        self._removal = removal
        self._copies = copies
        self._job = job
        self._trace = trace
        self._folder = job.places.builds
        self._processes: list[StageProcess] = []
        self._began = time.monotonic()
        self._shell = _program(job.config.shell or "bash")
        self._sites = Sites.of(job.config)
        self._telling: asyncio.TimerHandle | None = None

    def exited(self, status: int) -> str:
        return f"exit status {status}"

    async def prepare(self) -> None:
        self._trace.line(f"Using Shell ({Path(self._shell).name}) executor...")
        self._trace.open_section("prepare_script", "Preparing environment")
        for what in self._unused():
            self._trace.warning(f"{what}: this job runs in a shell of this machine")
        self._make_folders()
        self._trace.line(f"Running on {socket.gethostname()}...")

    def _unused(self) -> list[str]:
        payload = self._job.payload
        image = [f"the image {payload.image.name} is not used"] if payload.image else []
        names = ", ".join(service.name for service in payload.services)
        return [*image, *([f"services are not started ({names})"] if names else [])]

    def _make_folders(self) -> None:
        if self._sites is not None and self._job.config.keep_failed:
            self._sites.put(self._site())
        elif self._sites is not None:
            self._telling = asyncio.get_running_loop().call_later(SOON_OVER, self._tell, self._sites)
        path = self._folder
        try:
            os.mkdir(path, 0o700)
        except FileNotFoundError:
            Path(path).mkdir(parents=True, mode=0o700)
        for name in self._job.places.temporary[len(path) + 1 :].split("/"):
            path = f"{path}/{name}"
            os.mkdir(path)

    def _site(self) -> Site:
        return site_of(self._job, self._folder, folder=self._folder, shell=self._shell)

    def _tell(self, sites: Sites) -> None:
        self._telling = None
        sites.put(self._site())

    async def get_sources(self) -> None:
        sources = Sources(self._job)
        git = self._job.payload.git_info
        repository = local_path(git.repo_url)
        if repository and sources.plain:
            project = Path(self._job.places.project)
            await self._checkouts.place(repository, git, sources.depth, sources.large_files, project)
            self._trace.info(f"Checking out {git.sha[:8]} as detached HEAD (ref is {git.ref})...")
            return
        copy: Path | None = None
        if repository and sources.fetches:
            copy = Path(self._job.places.temporary, "sources.git")
            import shutil

            shutil.copytree(await self._copies.copy(repository, git, sources.depth, sources.large_files), copy)
        modules: dict[str, str] = {}
        if repository and sources.modules:
            found = await local_modules(repository, git.sha, recursive=sources.modules == "recursive")
            modules = {each.url: f"file://{each.repository}" if each.repository else each.remote for each in found}
        status = await self.run(sources.stage(str(copy) if copy else None, modules))
        if status:
            raise JobFailed(self.exited(status), "runner_system_failure", exit_code=status)

    def files(self, folder: str = "") -> ShellFiles:
        return ShellFiles(folder or self._job.places.project)

    async def run(self, stage: Stage, *, beside: bool = False) -> int:
        return await self._start(stage).wait()

    def _start(self, stage: Stage) -> StageProcess:
        script = f"{self._folder}/{stage.name}.sh"
        try:
            _write(script, stage.text)
        except FileNotFoundError:  # an earlier stage has removed all builds
            os.mkdir(self._folder, 0o700)
            _write(script, stage.text)
        places = self._job.places
        folder = places.project if os.path.isdir(places.project) else places.builds
        process = StageProcess([self._shell, script], job_environment(), folder, self._trace.write)
        self._processes.append(process)
        return process

    async def interrupt(self) -> None:
        if self._processes:
            await self._processes[-1].stop()

    def _end_processes(self) -> None:
        for process in self._processes:
            process.close()
        outside = self._job.config.keep_failed  # of the runner's own folder, whose processes end with the runner
        if outside or time.monotonic() - self._began > LONG:
            kill_stragglers(self._folder)

    async def keep(self) -> None:
        if self._sites is None:
            await self.close()
            return
        self._end_processes()
        self._sites.keep(self._site())

    async def close(self) -> None:
        self._end_processes()
        if self._telling is not None:
            self._telling.cancel()
        if self._job.config.keep_failed:  # its folder is not in the runner's own, which goes with the runner
            await asyncio.to_thread(remove_tree, Path(self._folder))
        else:
            await self._removal.add(self._folder)
        if self._sites is not None and self._telling is None:
            self._sites.forget(self._job.payload.id)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb", buffering=0) as file:
        file.write(text.encode(errors="surrogateescape"))


@functools.cache
def _program(name: str) -> str:
    return found_program(name) or found_program("sh") or "/bin/sh"


@functools.cache
def job_environment() -> dict[str, str]:
    """What a login would give; nothing else of the variables around us reaches a job."""
    user = pwd.getpwuid(os.getuid())
    usual = {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name, "PATH": os.defpath}
    return usual | {name: os.environ[name] for name in KEPT if name in os.environ}
