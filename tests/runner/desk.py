"""A coordinator in memory for the runner's tests, and payloads as GitLab would send them."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
from pathlib import Path

from shipline.protocol.coordinator import Answer, JobUpdate
from shipline.protocol.payload import GitInfo, Image, JobInfo, JobPayload, RunnerInfo, Step, Variable
from shipline.runner import Runner, RunnerConfig

_numbers = itertools.count(101)


class Desk:
    """Hands out the jobs it was given, keeps logs and results, and cancels on request."""

    def __init__(self, *jobs: JobPayload) -> None:
        self.waiting = list(jobs)
        self.logs: dict[int, bytearray] = {}
        self.results: dict[int, JobUpdate] = {}
        self.orders: dict[int, asyncio.Future[str]] = {}
        self.reported = asyncio.Event()
        self.lost_bytes = 0

    async def request_job(self, tags: frozenset[str], run_untagged: bool) -> JobPayload | None:
        if self.waiting:
            return self.waiting.pop(0)
        await asyncio.sleep(30)
        return None

    async def append_trace(self, job: JobPayload, offset: int, data: bytes) -> Answer:
        log = self.logs.setdefault(job.id, bytearray())
        if offset == len(log):
            log += data
        return Answer(trace_offset=len(log))

    async def update_job(self, job: JobPayload, update: JobUpdate) -> Answer:
        if update.state != "running":
            self.results[job.id] = update
            self.reported.set()
        return Answer()

    async def wait_canceled(self, job: JobPayload) -> str:
        return await self.order(job)

    def order(self, job: JobPayload) -> asyncio.Future[str]:
        return self.orders.setdefault(job.id, asyncio.get_running_loop().create_future())

    def log(self, job: JobPayload) -> str:
        return self.logs.get(job.id, bytearray()).decode()

    async def says(self, job: JobPayload, text: str) -> None:
        """Returns when the job's log holds `text`."""
        while text not in self.log(job):
            assert job.id not in self.results, self.log(job)
            await asyncio.sleep(0.02)


async def run(config: RunnerConfig, desk: Desk, jobs: int = 1) -> None:
    """Runs until `jobs` jobs have their final status and everything is cleaned up."""
    stop = asyncio.Event()
    running = asyncio.create_task(Runner(config, desk).run(until=stop))
    while len(desk.results) < jobs:
        reported = asyncio.create_task(desk.reported.wait())
        await asyncio.wait({running, reported}, return_when=asyncio.FIRST_COMPLETED)
        reported.cancel()
        if running.done():
            running.result()
            break
        desk.reported.clear()
    stop.set()
    await running


def repository(folder: Path, files: dict[str, str], *init: str) -> tuple[str, str]:
    """A git repository with one commit on main; gives its file:// URL and the commit's id."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def git(*words: str) -> str:
        who = ["-c", "user.name=T", "-c", "user.email=t@example.com"]
        return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout

    git("init", "-q", "-b", "main", *init)
    git("add", "-A")
    git("commit", "-q", "-m", "first", "--allow-empty")
    return f"file://{folder}", git("rev-parse", "HEAD").strip()


def job(source: tuple[str, str], *script: str, after: list[str] | None = None, **fields: object) -> JobPayload:
    """A job on the commit of `source`. Further fields are the payload's own."""
    number = next(_numbers)
    variables = [
        Variable("CI_JOB_ID", str(number), public=True),
        Variable("CI_COMMIT_SHA", source[1], public=True),
        *fields.pop("variables", []),
    ]
    image = fields.pop("image", None)
    steps = [Step("script", list(script))]
    if after:
        steps.append(Step("after_script", after, when="always"))
    return JobPayload(
        id=number,
        token=f"job-token-{number}-0123456789",
        job_info=JobInfo("a-job", "test", 7, "app", "group/app", pipeline_id=1),
        git_info=GitInfo(source[0], "main", source[1], "0" * 40),
        runner_info=RunnerInfo(timeout=fields.pop("timeout", 600)),
        variables=variables,
        steps=steps,
        image=Image(image) if isinstance(image, str) else image,
        **fields,
    )
