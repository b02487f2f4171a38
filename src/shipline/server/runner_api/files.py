"""Artifacts, up and down: jobs/:id/artifacts."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import IO

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, RedirectResponse, Response

from shipline.engine.records import PipelineVariable, Report
from shipline.engine.report_types import FILE_FORMATS, FILE_TYPES
from shipline.engine.shelf import expiry, read_report
from shipline.protocol.coordinator import FileRefused
from shipline.server.artifacts import Received
from shipline.server.http.answers import refusal, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.files import uploaded
from shipline.server.http.routes import Endpoint
from shipline.server.job_tokens import job_caller
from shipline.server.project_settings import settings_of
from shipline.server.runner_api.authentication import RunningJob, running_job
from shipline.server.settings import MIB

FORMATS = ("zip", "gzip", "raw")
UPLOADS_A_MINUTE = 200
SMALLER = {"terraform": 5 * MIB, "cyclonedx": 5 * MIB, "lsif": 100 * MIB}
"""The types of files that may be less large than others, as GitLab's plans have them."""
SIGNED_FOR = timedelta(minutes=10)
"""How long the address of a file in the bucket is good for."""


async def authorize(call: Call) -> Response:
    """POST: whether an upload would be taken. GitLab's own proxy asks; no runner does."""
    running = running_job(call, limit="jobs", a_minute=UPLOADS_A_MINUTE)
    if (call.integer("filesize") or 0) > _limit(call, running, call.text("artifact_type") or "archive"):
        raise refusal(413)
    return call.json({}, 200)


async def upload(call: Call) -> Response:
    """POST: a form with one file. A larger file than is allowed is not read to its end."""
    running = running_job(call, limit="jobs", a_minute=UPLOADS_A_MINUTE)
    file_type = call.choice("artifact_type", FILE_TYPES, "archive")
    file_format = call.choice("artifact_format", FORMATS, "zip")
    if file_format != FILE_FORMATS[file_type]:
        raise refusal(400, "Invalid file format with specified file type")
    expire_at = _expiry(call)
    limit = _limit(call, running, file_type)
    async with uploaded(call, limit) as file:
        name = (file.filename or file_type).rpartition("/")[2]
        return await _keep(call, running, file.file, file_type, file_format, name, expire_at)


def _limit(call: Call, running: RunningJob, file_type: str) -> int:
    """How many bytes a file of a type may have."""
    record = call.instance.store.pipeline(running.job.pipeline_id)
    project = call.instance.projects.by_id(record.project_id) if record is not None else None
    own = settings_of(project).max_artifacts_size if project is not None else None
    if own is None and project is not None:
        own = call.instance.groups.max_artifacts_size(project.namespace_id)
    limit = own * MIB if own is not None else call.instance.settings.artifact_limit
    return min(limit, SMALLER.get(file_type, limit))


async def _keep(
    call: Call,
    running: RunningJob,
    source: IO[bytes],
    file_type: str,
    file_format: str,
    name: str,
    expire_at: float | None,
) -> Response:
    artifacts, job_id = call.instance.artifacts, running.job.id
    receiving = artifacts.received(job_id, source)
    received = await run_in_threadpool(receiving.__enter__)
    try:
        there = artifacts.one(job_id, file_type)
        if there is not None and there.sha256 != received.sha256:
            raise refusal(400, "another artifact of the same type already exists")
        if there is None:
            dotenv, report = await run_in_threadpool(_read, file_type, received, file_format)
            artifacts.place(received, file_type)
            size, sha256 = received.size, received.sha256
            values = {"file_format": file_format, "filename": name, "size": size, "sha256": sha256}
            artifacts.add(job_id, file_type, **values, expire_at=expire_at)
            if dotenv is not None or report is not None:
                call.instance.pipelines.reported(running.job, dotenv, report)
    finally:
        receiving.__exit__(None, None, None)
    return Response("201", 201, media_type="application/json")


def _read(
    file_type: str, received: Received, file_format: str
) -> tuple[list[PipelineVariable] | None, Report | None]:
    """What a report says; a dotenv file that is wrong is refused."""
    try:
        return read_report(file_type, received.path, file_format)
    except FileRefused as refused:
        raise refusal(400, str(refused)) from None


def _expiry(call: Call) -> float | None:
    """When the file is to be removed; None for never."""
    try:
        return expiry(call.text("expire_in") or call.instance.settings.artifacts_expire_in, time.time())
    except FileRefused:
        raise wrong_parameter("expire_in is invalid") from None


async def download(call: Call) -> Response:
    """GET: the archive of an earlier job, for the job whose token is shown."""
    token = call.text("token") or call.request.headers.get("job-token", "")
    call.limit("jobs", token, UPLOADS_A_MINUTE)
    caller = job_caller(call.instance, token)
    if caller is None:
        raise refusal(401)
    job = call.instance.store.job(call.number("id"))
    pipeline = call.instance.store.pipeline(job.pipeline_id) if job is not None else None
    if job is None or pipeline is None:
        raise refusal(403)
    needs_it = call.instance.downstream.may_fetch
    if pipeline.project_id != caller.project_id and not needs_it(caller.job_id or 0, pipeline.project_id):
        raise refusal(403)
    archive = call.instance.artifacts.archive(job.id)
    if archive is None:
        raise refusal(404)
    if call.boolean("direct_download") and (address := await call.instance.artifacts.address(archive, SIGNED_FOR)):
        return RedirectResponse(address, 302)
    path = await call.instance.artifacts.file(archive)
    if path is None:
        raise refusal(404)
    return FileResponse(path, media_type="application/octet-stream", filename=archive.filename)


ENDPOINTS = [
    Endpoint("POST", "/jobs/{id}/artifacts/authorize", authorize),
    Endpoint("POST", "/jobs/{id}/artifacts", upload, reads_body=False, gives="any"),
    Endpoint("GET", "/jobs/{id}/artifacts", download, takes="direct_download:bool", gives="file"),
]
