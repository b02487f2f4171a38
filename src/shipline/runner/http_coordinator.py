"""Jobs over HTTP: GitLab's runner API from the runner's side, for a Shipline server and for a real GitLab.

A question for a job is held by the server where it can; where it answers at once, the next is asked a little later.
Each answer about a job may carry a cancel; while a job is silent, it is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
from pathlib import Path
from typing import Any, Literal

import aiohttp
import msgspec

import shipline
from shipline.protocol.coordinator import Answer, JobUpdate, Upload
from shipline.protocol.payload import (
    Dependency,
    GitInfo,
    JobInfo,
    JobPayload,
    RunnerInfo,
    decode,
    decode_assignment,
)
from shipline.runner.errors import RunnerError
from shipline.runner.http_files import fetch, send
from shipline.runner.http_files import reason as _reason
from shipline.runner.tls import Tls

FEATURES = (
    "variables",
    "image",
    "services",
    "cache",
    "fallback_cache_keys",
    "multi_build_steps",
    "refspecs",
    "masking",
    "vault_secrets",
    "job_inputs",
    "raw_variables",
    "service_variables",
    "service_multiple_aliases",
    "image_executor_opts",
    "service_executor_opts",
    "return_exit_code",
    "cancelable",
    "cancel_gracefully",
    "two_phase_job_commit",
    "trace_reset",
    "trace_checksum",
    "trace_size",
    "artifacts",
    "artifacts_exclude",
    "upload_multiple_artifacts",
    "upload_raw_artifacts",
    "native_steps_integration",
)
"""What this runner tells a server that it can do."""
ASK_AGAIN_AFTER = 3.0  # seconds, where the server does not hold a question
HELD = 1.0  # seconds after which an answer counts as held
PROBE_EVERY = 5.0  # seconds of silence after which a job is asked whether somebody cancels it
ATTEMPTS = 5
REPORTS = 10
LONGEST_PAUSE = 60.0
AGAIN = frozenset({408, 429, 500, 502, 503, 504})
REFUSALS = 3
WATCHED = 3.0  # seconds between two parts of a log, said by a GitLab where somebody looks at it
AT_ONCE = 0.25  # what is made of that: the log is sent as it comes, but within GitLab's 600 calls a minute
TIMEOUT = aiohttp.ClientTimeout(total=3600, connect=30, sock_read=600)
Canceled = Literal["canceling", "canceled"]


class HttpCoordinator:
    """Implements `shipline.protocol.coordinator.Coordinator` for one runner's token. `close` ends connections."""

    def __init__(
        self,
        url: str,
        token: str,
        system_id: str,
        *,
        executor: str = "",
        clone_url: str = "",
        tls: Tls | None = None,
    ) -> None:
        self._base = f"{url.rstrip('/').removesuffix('/ci')}/api/v4"
        self._token = token
        self._system_id = system_id
        self._executor = executor
        self._clone_url = clone_url.rstrip("/")
        self._tls = tls or Tls()
        self._last_update = ""
        self._refused = 0
        self.wait = 0.0
        """Seconds to let pass after a question without a job."""
        self.told_to_wait = 0.0
        """Seconds for which the server, which is asked too often, wants no more questions."""
        self._session: aiohttp.ClientSession | None = None
        self._orders: dict[int, asyncio.Future[Canceled]] = {}
        self._heard: dict[int, float] = {}

    async def verify(self) -> bool:
        """Whether the server knows the token."""
        body = {"token": self._token, "system_id": self._system_id, "info": self._info()}
        status, _, text = await self._call("POST", "/runners/verify", json=body)
        if status not in (200, 403):
            raise RunnerError(f"{self._base}: the server cannot verify the runner: {status} {_reason(text)}")
        return status == 200

    async def register(self, **settings: Any) -> str:
        """Registers with a registration token; gives the runner's own token."""
        body = {"token": self._token, "info": self._info(), **settings}
        status, _, text = await self._call("POST", "/runners", json=body)
        if status != 201:
            raise RunnerError(f"{self._base}: the server does not register the runner: {status} {_reason(text)}")
        return str(msgspec.json.decode(text)["token"])

    async def unregister(self) -> bool:
        """Takes the runner (or this manager of it) off the server; False when the server did not know it."""
        own = self._token.startswith("glrt-")
        body = {"token": self._token, "system_id": self._system_id}
        status, _, _ = await self._call("DELETE", "/runners/managers" if own else "/runners", json=body)
        return status == 204

    async def request_job(self, tags: frozenset[str], run_untagged: bool) -> JobPayload | None:
        """Tags are the server's business: it knows the runner's."""
        payload = await self.ask(hold=True)
        if payload is None:
            await asyncio.sleep(max(self.wait, self.told_to_wait))
        return payload

    async def ask(self, *, hold: bool) -> JobPayload | None:
        """Asks once for a job; a server that can may `hold` the question until there is one."""
        loop = asyncio.get_running_loop()
        asked, before = loop.time(), self._last_update
        body: dict[str, Any] = {"token": self._token, "system_id": self._system_id, "info": self._info()}
        if before and hold:
            body["last_update"] = before
        self.wait, self.told_to_wait = ASK_AGAIN_AFTER, 0.0
        try:
            status, headers, text = await self._call("POST", "/jobs/request", json=body, attempts=1)
        except (OSError, TimeoutError):
            return None
        self._last_update = headers.get("X-GitLab-Last-Update", "")
        if status == 201:
            self._refused = 0
            return await self._accepted(text)
        if status in AGAIN:
            self.told_to_wait = min(_seconds(headers.get("Retry-After", "")), LONGEST_PAUSE)
        if status == 403:
            self._refused += 1
            if self._refused >= REFUSALS:
                raise RunnerError(f"{self._base}: the server refuses this runner's token. Register it again.")
        if status == 204 and (self._last_update != before or loop.time() - asked >= HELD):
            self.wait = 0.0
        return None

    async def append_trace(self, job: JobPayload, offset: int, data: bytes) -> Answer:
        headers = {"JOB-TOKEN": job.token, "Content-Range": f"{offset}-{offset + len(data) - 1}"}
        headers["Content-Type"] = "text/plain"
        shown = {"debug_trace": str(_shows_variables(job)).lower()}
        status, told, _ = await self._call(
            "PATCH", f"/jobs/{job.id}/trace", params=shown, data=data, headers=headers
        )
        answer = self._answer(job, status, told)
        wanted = _seconds(told.get("X-GitLab-Trace-Update-Interval", ""))
        answer.pause = min(wanted, LONGEST_PAUSE) if wanted > WATCHED else min(wanted, AT_ONCE)
        if status in (202, 404) or answer.job_status in ("canceled", "failed"):
            answer.trace_offset = offset + len(data)
        elif status == 416:
            answer.trace_offset = int(told.get("Range", "0-0").rpartition("-")[2])
        else:
            raise OSError(f"{self._base}: the log was not taken: {status}")
        return answer

    async def update_job(self, job: JobPayload, update: JobUpdate) -> Answer:
        body: dict[str, Any] = {
            "token": job.token,
            "system_id": self._system_id,
            "info": self._info(),
            "state": update.state,
        }
        if update.failure_reason:
            body["failure_reason"] = update.failure_reason
        if update.exit_code:
            body["exit_code"] = update.exit_code
        if update.output:
            body["checksum"] = update.output.checksum
            body["output"] = {"checksum": update.output.checksum, "bytesize": update.output.bytesize}
        headers = {"JOB-TOKEN": job.token}
        for attempt in range(REPORTS):
            status, told, _ = await self._call("PUT", f"/jobs/{job.id}", json=body, headers=headers)
            answer = self._answer(job, status, told)
            if update.state == "running" and status in (400, 409):
                return Answer("canceled")  # somebody else's by now
            if status in (200, 403, 404) or answer.job_status in ("canceled", "failed", "success"):
                self._forget(job, update)
                return answer
            wanted = _seconds(told.get("X-GitLab-Trace-Update-Interval", "")) or 2.0**attempt
            await asyncio.sleep(min(wanted, LONGEST_PAUSE))
        raise OSError(f"{self._base}: the state of job {job.id} was not taken: {status}")

    async def wait_canceled(self, job: JobPayload) -> Canceled:
        order = self._order(job)
        loop = asyncio.get_running_loop()
        while not order.done():
            silent = loop.time() - self._heard.get(job.id, 0.0)
            if silent < PROBE_EVERY:
                await asyncio.wait([order], timeout=PROBE_EVERY - silent)
                continue
            try:
                await self.update_job(job, JobUpdate("running"))
            except (OSError, TimeoutError):
                await asyncio.sleep(PROBE_EVERY)
        return order.result()

    async def upload_artifacts(self, job: JobPayload, upload: Upload, file: Path) -> str:
        return await send(self._opened(), self._base, job, upload, file)

    async def download_artifacts(self, job: JobPayload, dependency: Dependency, to: Path, attempt: int = 0) -> str:
        return await fetch(self._opened(), self._base, dependency, to, direct=attempt == 0)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _accepted(self, text: bytes) -> JobPayload | None:
        """The job; None when it cannot be made out what it is, and then it has failed: a job that nobody runs
        would keep its pipeline waiting for an hour."""
        try:
            payload = decode(text)
        except ValueError as error:
            await self._refuse(text, error)
            return None
        payload.variables += self._tls.variables()
        if self._clone_url:
            payload.git_info.repo_url = _at(self._clone_url, payload.git_info.repo_url)
        return payload

    async def _refuse(self, text: bytes, error: ValueError) -> None:
        try:
            given = decode_assignment(text)
        except ValueError:
            return  # no job at all: whoever answered, there is nothing to report on
        job = JobPayload(given.id, given.token, JobInfo(), GitInfo("", "", ""), RunnerInfo())
        why = f"ERROR: Job failed (system failure): this runner cannot read what the server says of it: {error}\n"
        with contextlib.suppress(OSError):
            await self.update_job(job, JobUpdate("running"))
            await self.append_trace(job, 0, why.encode())
            await self.update_job(job, JobUpdate("failed", "runner_system_failure"))

    def _answer(self, job: JobPayload, status: int, headers: Any) -> Answer:
        """What the server says of the job, which is also told to whoever waits for a cancel."""
        self._heard[job.id] = asyncio.get_running_loop().time()
        told = headers.get("Job-Status", "running")
        if status == 403 and told not in ("failed", "success"):
            told = "canceled"
        if told in ("canceled", "failed", "canceling"):
            order = self._order(job)
            if not order.done():
                order.set_result("canceling" if told == "canceling" else "canceled")
        known = ("running", "canceling", "canceled", "failed", "success")
        return Answer(told if told in known else "running")

    def _order(self, job: JobPayload) -> asyncio.Future[Canceled]:
        return self._orders.setdefault(job.id, asyncio.get_running_loop().create_future())

    def _forget(self, job: JobPayload, update: JobUpdate) -> None:
        if update.state != "running":
            self._orders.pop(job.id, None)
            self._heard.pop(job.id, None)

    def _info(self) -> dict[str, Any]:
        return {
            "name": "shipline",
            "version": shipline.__version__,
            "platform": platform.system().lower(),
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
            "executor": self._executor,
            "features": dict.fromkeys(FEATURES, True),
        }

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            agent = f"shipline {shipline.__version__}"
            connector = aiohttp.TCPConnector(ssl=self._tls.context() or True)
            self._session = aiohttp.ClientSession(
                timeout=TIMEOUT, trust_env=True, headers={"User-Agent": agent}, connector=connector
            )
        return self._session

    async def _call(
        self, method: str, path: str, *, attempts: int = ATTEMPTS, **options: Any
    ) -> tuple[int, Any, bytes]:
        """One call, tried again where the server or the way to it is in trouble. Raises OSError."""
        session = self._opened()
        pause = 0.1
        for attempt in range(attempts):
            last = attempt == attempts - 1
            try:
                async with session.request(method, self._base + path, **options) as response:
                    text = await response.read()
                    if response.status not in AGAIN or last:
                        return response.status, response.headers, text
                    pause = _seconds(response.headers.get("Retry-After", "")) or pause
            except aiohttp.ClientError as error:
                if last:
                    raise OSError(f"{self._base}: {error}") from None
            await asyncio.sleep(min(pause, LONGEST_PAUSE))
            pause *= 2
        raise OSError(f"{self._base} does not answer")


def _shows_variables(job: JobPayload) -> bool:
    """Whether the job wants each command in its log as the shell runs it."""
    last = {variable.key: variable.value for variable in job.variables}
    return last.get("CI_DEBUG_TRACE", "").lower() in ("true", "1")


def _seconds(text: str) -> float:
    """A number of seconds from a header; 0 when it says none."""
    return float(text) if text.isdecimal() else 0.0


def _at(clone_url: str, repo_url: str) -> str:
    """The repository's URL at another address, with its credentials."""
    from urllib.parse import urlsplit, urlunsplit

    own, there = urlsplit(repo_url), urlsplit(clone_url)
    credentials = own.netloc.rpartition("@")[0]
    place = f"{credentials}@{there.netloc}" if credentials else there.netloc
    return urlunsplit((there.scheme, place, there.path.rstrip("/") + own.path, "", ""))
