"""Artifacts, up and down: jobs/:id/artifacts."""

from __future__ import annotations

import asyncio
import time

from starlette.responses import FileResponse, Response

from shipline.language.durations import seconds
from shipline.server.http.answers import refusal, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint
from shipline.server.job_tokens import job_caller
from shipline.server.runner_api.authentication import running_job

FORMATS = ("zip", "gzip", "raw")
TYPES = frozenset(
    [
        "archive",
        "metadata",
        "trace",
        "junit",
        "cobertura",
        "jacoco",
        "dotenv",
        "metrics",
        "cyclonedx",
        "annotations",
        "repository_xray",
        "lsif",
        "dependency_scanning",
        "sast",
        "secret_detection",
        "container_scanning",
        "cluster_image_scanning",
        "dast",
        "license_scanning",
        "codequality",
        "accessibility",
        "performance",
        "browser_performance",
        "load_performance",
        "terraform",
        "requirements",
        "requirements_v2",
        "coverage_fuzzing",
        "api_fuzzing",
    ]
)
UPLOADS_A_MINUTE = 200
OVERHEAD = 1 << 16
"""Bytes that a form adds to its file."""


async def upload(call: Call) -> Response:
    """POST: a form with one file. A larger file than is allowed is not read to its end."""
    running = running_job(call, limit="jobs", a_minute=UPLOADS_A_MINUTE)
    file_type = call.choice("artifact_type", TYPES, "archive")
    file_format = call.choice("artifact_format", FORMATS, "zip")
    expire_at = _expiry(call)
    limit = call.instance.settings.artifact_limit
    if int(call.request.headers.get("content-length", "0")) > limit + OVERHEAD:
        raise refusal(413)
    async with call.request.form(max_files=1, max_fields=8) as form:
        file = form.get("file")
        if file is None or isinstance(file, str):
            raise wrong_parameter("file is missing")
        if (file.size or 0) > limit:
            raise refusal(413)
        artifacts = call.instance.artifacts
        size, sha256 = await asyncio.to_thread(artifacts.keep, running.job.id, file_type, file.file)
        name = (file.filename or file_type).rpartition("/")[2]
    values = {"file_format": file_format, "filename": name, "size": size, "sha256": sha256, "expire_at": expire_at}
    artifacts.add(running.job.id, file_type, **values)
    return Response("201", 201, media_type="application/json")


def _expiry(call: Call) -> float | None:
    """When the file is to be removed; None for never."""
    text = call.text("expire_in") or call.instance.settings.artifacts_expire_in
    if text in ("never", "0"):
        return None
    after = seconds(text)
    if after is None:
        raise wrong_parameter("expire_in is invalid")
    return time.time() + after


async def download(call: Call) -> Response:
    """GET: the archive of an earlier job, for the job whose token is shown."""
    token = call.text("token") or call.request.headers.get("job-token", "")
    call.limit("jobs", token, UPLOADS_A_MINUTE)
    caller = job_caller(call.instance, token)
    if caller is None:
        raise refusal(401)
    job = call.instance.store.job(call.number("id"))
    pipeline = call.instance.store.pipeline(job.pipeline_id) if job is not None else None
    if job is None or pipeline is None or pipeline.project_id != caller.project_id:
        raise refusal(403)
    archive = call.instance.artifacts.archive(job.id)
    if archive is None:
        raise refusal(404)
    path = call.instance.artifacts.path(archive)
    return FileResponse(path, media_type="application/octet-stream", filename=archive.filename)


ENDPOINTS = [
    Endpoint("POST", "/jobs/{id}/artifacts", upload, reads_body=False),
    Endpoint("GET", "/jobs/{id}/artifacts", download),
]
