"""The side of the runner API that a GitLab speaks, as its sources say: what it checks, answers and sends.

It is another implementation than `shipline.server`: strict where GitLab is, with the payload's fields as GitLab's
entities have them (nulls and fields that this runner does not know among them).
"""

from __future__ import annotations

import asyncio
import io
import itertools
import ssl
import zlib
from typing import Any

from aiohttp import web

TOKEN = "glrt-peer_0123456789abcdef"
FORMATS = {"archive": "zip", "junit": "gzip", "dotenv": "gzip", "codequality": "raw"}
"""The one format that each type of file may have."""
_numbers = itertools.count(70_001)


class PeerJob:
    """A job as GitLab keeps it, and what the runner did with it."""

    def __init__(self, payload: dict[str, Any]) -> None:
        self.payload = payload
        self.id = payload["id"]
        self.token = payload["token"]
        self.status = "pending"
        self.waits = False
        """Handed out, and not yet acknowledged."""
        self.lost = False
        """Somebody else's by the time that it is acknowledged."""
        self.reason: str | None = None
        self.exit_code: int | None = None
        self.log = bytearray()
        self.patches = 0
        self.checked: bool | None = None
        """Whether the log was what its checksum says."""
        self.accepted = 0
        """How often the end is answered with 202 before it counts."""
        self.files: dict[str, tuple[str, bytes]] = {}
        self.queries: dict[str, dict[str, str]] = {}
        self.headers: list[dict[str, str]] = []
        self.over = asyncio.Event()

    @property
    def executing(self) -> bool:
        return self.status in ("running", "canceling")

    @property
    def text(self) -> str:
        return self.log.decode()

    def end(self, status: str, reason: str | None = None) -> None:
        self.status, self.reason = status, reason
        self.over.set()

    def cancel(self) -> None:
        """As with a runner that said `cancel_gracefully`."""
        self.status = "canceling"

    async def says(self, text: str) -> None:
        while text not in self.text:
            assert not self.over.is_set(), self.text
            await asyncio.sleep(0.02)


class Peer:
    """`url` once it has started. Jobs are handed out in the order in which they were added."""

    def __init__(self) -> None:
        self.url = ""
        self.jobs: list[PeerJob] = []
        self.interval = 3
        self.log_limit = 1 << 20
        self.troubles: list[int] = []
        """What the next parts of a log are answered with."""
        self.busy: list[str] = []
        """For how long the next questions for jobs are refused (`Retry-After`)."""
        self.infos: list[dict[str, Any]] = []
        self.asked: list[str | None] = []
        self.stored: dict[str, bytes] = {}
        """What is in the store of objects, by path."""
        self.shown: list[Any] = []
        """Whom the certificates name that the runner has shown."""
        self._ticks = 0
        app = web.Application(client_max_size=1 << 26)
        api = "/gitlab/api/v4"
        app.router.add_post(f"{api}/runners/verify", self.verify)
        app.router.add_post(f"{api}/jobs/request", self.request)
        app.router.add_put(f"{api}/jobs/{{id}}", self.update)
        app.router.add_patch(f"{api}/jobs/{{id}}/trace", self.trace)
        app.router.add_post(f"{api}/jobs/{{id}}/artifacts", self.upload)
        app.router.add_get(f"{api}/jobs/{{id}}/artifacts", self.download)
        app.router.add_get("/store/{path}", self.store)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls).start()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._runner.addresses[0][1]}/gitlab"

    async def close(self) -> None:
        await self._runner.cleanup()

    def add(self, payload: dict[str, Any]) -> PeerJob:
        self._ticks += 1
        job = PeerJob(payload)
        self.jobs.append(job)
        return job

    async def verify(self, request: web.Request) -> web.Response:
        """As GitLab answered before it had runners made at the server: no object."""
        body = await request.json()
        assert request.transport is not None
        if certificate := request.transport.get_extra_info("peercert"):
            self.shown.append(certificate["subject"])
        return web.Response(text="200") if body["token"] == TOKEN else refused("403 Forbidden")

    async def request(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/json"
        body = await request.json()
        if "token" not in body:
            return web.json_response({"error": "token is missing"}, status=400)
        if body["token"] != TOKEN:
            return refused("403 Forbidden")
        if self.busy:
            text = '{"message":"Executing database migrations. Please retry later."}'
            headers = {"Retry-After": self.busy.pop(0)}
            return web.Response(status=429, text=text, content_type="application/json", headers=headers)
        self.infos.append(body["info"])
        self.asked.append(body.get("last_update"))
        tick = f"tick-{self._ticks}"
        if body.get("last_update") != tick:
            for job in self.jobs:
                if job.status == "pending" and not job.waits:
                    if lacking(job.payload, body["info"]["features"]):
                        job.end("failed", "runner_unsupported")
                        continue
                    job.waits = bool(body["info"]["features"].get("two_phase_job_commit"))
                    job.status = "pending" if job.waits else "running"
                    return web.json_response(job.payload, status=201)
        return web.Response(status=204, headers={"X-GitLab-Last-Update": tick})

    def authenticated(self, request: web.Request, token: str | None = None) -> PeerJob:
        shown = token or request.query.get("token") or request.headers.get("JOB-TOKEN", "")
        job = next((job for job in self.jobs if str(job.id) == request.match_info["id"]), None)
        if job is None or shown != job.token:
            raise web.HTTPForbidden(text='{"message":"403 Forbidden"}', content_type="application/json")
        job.headers.append(dict(request.headers))
        if not job.executing and not job.waits:
            text = '{"message":"403 Forbidden - Job is not processing on runner"}'
            raise web.HTTPForbidden(text=text, content_type="application/json", headers={"Job-Status": job.status})
        return job

    async def update(self, request: web.Request) -> web.Response:
        body = await request.json()
        job = self.authenticated(request, body["token"])
        state = body.get("state")
        if job.waits and job.lost:
            job.waits = False
            job.end("canceled")
            return answer(409, job)
        if job.waits:
            if state != "running":
                return answer(200 if state == "pending" else 400, job)
            job.waits, job.status = False, "running"
            return answer(200, job)
        if state == "running":
            return answer(200, job)
        if state not in ("success", "failed"):
            return answer(400, job)
        if (body.get("output") or {}).get("checksum") or body.get("checksum"):
            if job.accepted:
                job.accepted -= 1
                return answer(202, job, {"X-GitLab-Trace-Update-Interval": "1"})
            crc = f"crc32:{zlib.crc32(job.log):08x}"
            job.checked = body["output"] == {"checksum": crc, "bytesize": len(job.log)}
        canceled = job.status == "canceling"
        job.exit_code = body.get("exit_code")
        job.end("canceled" if canceled else state, body.get("failure_reason"))
        return answer(200, job)

    async def trace(self, request: web.Request) -> web.Response:
        job = self.authenticated(request)
        data = await request.read()
        if self.troubles:
            status = self.troubles.pop(0)
            return web.Response(status=status, headers={"Retry-After": "0"} if status == 429 else {})
        if "Content-Range" not in request.headers:
            return refused("400 Missing header Content-Range", 400)
        assert request.headers["Content-Type"] == "text/plain"
        start = int(request.headers["Content-Range"].partition("-")[0])
        if start + len(data) > self.log_limit:
            job.end("failed", "trace_size_exceeded")
            return refused("403 Forbidden")
        if start == len(job.log):
            job.log += data
            job.patches += 1
        there = {"Range": f"0-{len(job.log)}"}
        if len(job.log) != start + len(data):
            return web.json_response({"message": "416 Range Not Satisfiable"}, status=416, headers=there)
        return answer(202, job, {"X-GitLab-Trace-Update-Interval": str(self.interval)} | there)

    async def upload(self, request: web.Request) -> web.Response:
        job = self.authenticated(request)
        kind = request.query.get("artifact_type", "archive")
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        if FORMATS[kind] != request.query.get("artifact_format", "zip"):
            return refused("400 Bad request - Invalid file format with specified file type", 400)
        job.files[kind] = (file.filename, file.file.read())
        job.queries[kind] = dict(request.query)
        return web.Response(text="201", status=201, content_type="application/json")

    async def download(self, request: web.Request) -> web.Response:
        """The archive of a dependency, from the store of objects, at the address for which it needs no token."""
        running = [job.token for job in self.jobs if job.executing]
        if request.headers.get("JOB-TOKEN") not in running:
            return refused("401 Unauthorized", 401)
        path = f"{request.match_info['id']}.zip"
        if path not in self.stored:
            return refused("404 Not found", 404)
        if request.query.get("direct_download") != "true":
            return web.Response(body=self.stored[path], content_type="application/octet-stream")
        there = self.url.replace("127.0.0.1", "localhost").removesuffix("/gitlab")
        raise web.HTTPFound(f"{there}/store/{path}?signature=a%2Fb")

    async def store(self, request: web.Request) -> web.Response:
        assert "JOB-TOKEN" not in request.headers
        assert request.query_string == "signature=a%2Fb"
        return web.Response(body=self.stored[request.match_info["path"]])


def answer(status: int, job: PeerJob, headers: dict[str, str] | None = None) -> web.Response:
    told = {"Job-Status": job.status} | (headers or {})
    return web.Response(status=status, text=str(status), headers=told)


def refused(message: str, status: int = 403) -> web.Response:
    return web.json_response({"message": message}, status=status)


def lacking(payload: dict[str, Any], features: dict[str, bool]) -> list[str]:
    """The features that a job needs of its runner, and which the runner did not name."""
    artifacts = payload["artifacts"] or []
    needed = {
        "multi_build_steps": any(step["name"] == "release" for step in payload["steps"]),
        "upload_multiple_artifacts": any(each["artifact_type"] != "archive" for each in artifacts),
        "artifacts_exclude": any(each.get("exclude") for each in artifacts),
        "fallback_cache_keys": any(cache["fallback_keys"] for cache in payload["cache"]),
        "return_exit_code": True,
        "refspecs": True,
    }
    return [name for name, wanted in needed.items() if wanted and not features.get(name)]


def gitlab_job(source: tuple[str, str], *script: str, **fields: Any) -> dict[str, Any]:
    """A payload as GitLab writes it, for a commit that `refs/pipelines/77` of the repository names."""
    number = next(_numbers)
    variables = [
        {"key": "CI_JOB_ID", "value": str(number), "public": True, "masked": False},
        {"key": "CI_COMMIT_SHA", "value": source[1], "public": True, "masked": False},
        {"key": "CI_OPEN_MERGE_REQUESTS", "value": None, "public": True, "masked": False},
        {"key": "CI_JOB_TOKEN", "value": f"glcbt-64_{number}", "public": False, "masked": True},
    ]
    steps = [
        {"name": "script", "script": list(script), "timeout": 3600, "when": "on_success", "allow_failure": False}
    ]
    return {
        "id": number,
        "token": f"glcbt-64_{number}",
        "allow_git_fetch": True,
        "job_info": {
            "id": number,
            "name": "a-job",
            "stage": "test",
            "pipeline_id": 77,
            "project_id": 7,
            "project_name": "app",
            "project_full_path": "group/app",
            "namespace_id": 3,
            "root_namespace_id": 2,
            "organization_id": 1,
            "instance_id": "abcdef",
            "instance_uuid": "0c6dcd0e-3b1f-4f3a-8d3e-0d4b6a2f1a11",
            "user_id": 12,
            "scoped_user_id": None,
            "time_in_queue_seconds": None,
            "project_jobs_running_on_instance_runners_count": "+Inf",
            "queue_size": 3,
            "queue_depth": 1,
        },
        "git_info": {
            "repo_url": source[0],
            "ref": "main",
            "sha": source[1],
            "before_sha": "0" * 40,
            "ref_type": "branch",
            "refspecs": ["+refs/pipelines/77:refs/pipelines/77", "+refs/heads/main:refs/remotes/origin/main"],
            "depth": 20,
            "repo_object_format": "sha1",
            "protected": True,
        },
        "runner_info": {
            "uuid": "7d7b3a4e-1111-4222-8333-944445555666",
            "timeout": 3600,
            "runner_session_url": None,
        },
        "inputs": [],
        "variables": variables + fields.pop("variables", []),
        "steps": steps + fields.pop("steps", []),
        "hooks": [],
        "image": None,
        "services": [],
        "artifacts": None,
        "cache": [],
        "credentials": [
            {
                "type": "registry",
                "url": "registry.example.com:5005",
                "username": "gitlab-ci-token",
                "password": "glcbt-registry",
            }
        ],
        "features": {
            "trace_sections": True,
            "token_mask_prefixes": ["glpat-"],
            "failure_reasons": ["unknown_failure", "script_failure", "runner_system_failure", "job_canceled"],
            "tracing": None,
        },
        "dependencies": [],
        "policy_options": {"execution_policy_job": False, "policy_name": None},
        "suspend_options": None,
        **fields,
    }


def zipped(**files: str) -> bytes:
    import zipfile

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return data.getvalue()
