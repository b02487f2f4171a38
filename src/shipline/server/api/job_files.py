"""Artifacts of jobs: as an archive, as single files of it, kept, deleted."""

from __future__ import annotations

import asyncio
import mimetypes
import zipfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.responses import FileResponse, Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.api.jobs import wanted_job
from shipline.server.api.pipelines import reading
from shipline.server.http.answers import no_such, refusal
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint

LARGEST_FILE = 100 << 20


async def download(call: Call) -> Response:
    _, row = wanted_job(call, reading(call))
    return _archive(call, row.id)


async def download_file(call: Call) -> Response:
    _, row = wanted_job(call, reading(call))
    return await _file(call, row.id)


async def download_latest(call: Call) -> Response:
    """The archive of a job in the newest successful pipeline of a ref."""
    return _archive(call, _newest(call))


async def download_latest_file(call: Call) -> Response:
    return await _file(call, _newest(call))


async def keep(call: Call) -> Response:
    project, row = wanted_job(call, may.DEVELOPER)
    if call.instance.artifacts.archive(row.id) is None:
        raise refusal(404)
    call.instance.artifacts.keep_forever(row.id)
    return call.json(shapes.job(call, row, project.full_path))


async def delete(call: Call) -> Response:
    _, row = wanted_job(call, may.MAINTAINER)
    call.instance.artifacts.delete(row.id)
    call.audit("delete artifacts", str(row.id))
    return Response(status_code=204)


def _newest(call: Call) -> int:
    project = call.project(reading(call))
    call.required("job")
    query = (
        sa.select(t.jobs.c.id)
        .join(t.pipelines, t.pipelines.c.id == t.jobs.c.pipeline_id)
        .where(
            t.pipelines.c.project_id == project.id,
            t.pipelines.c.ref == call.path["ref_name"],
            t.pipelines.c.status == "success",
            t.jobs.c.name == call.text("job"),
            t.jobs.c.latest,
        )
    )
    found = call.instance.database.one(query.order_by(t.jobs.c.id.desc()).limit(1))
    if found is None:
        raise no_such("Job")
    return int(found[0])


def _archive(call: Call, job_id: int) -> Response:
    archive = call.instance.artifacts.archive(job_id)
    if archive is None:
        raise refusal(404)
    headers = {"ETag": f'"{archive.sha256}"', "Content-Transfer-Encoding": "binary"}
    path = call.instance.artifacts.path(archive)
    return FileResponse(path, media_type="application/octet-stream", filename=archive.filename, headers=headers)


async def _file(call: Call, job_id: int) -> Response:
    wanted = call.path["artifact_path"]
    if ".." in wanted.split("/"):
        raise refusal(400)
    archive = call.instance.artifacts.archive(job_id)
    content = (
        await asyncio.to_thread(_read, archive, call.instance.artifacts.path(archive), wanted) if archive else None
    )
    if content is None:
        raise refusal(404)
    kind = mimetypes.guess_type(wanted)[0] or "application/octet-stream"
    if kind.startswith("text/html"):
        kind = "text/plain"  # a job's page must not act in the server's name
    return Response(content, media_type=kind)


def _read(archive: Any, path: Path, wanted: str) -> bytes | None:
    try:
        with zipfile.ZipFile(path) as file:
            if file.getinfo(wanted).file_size > LARGEST_FILE:
                raise refusal(413)
            return file.read(wanted)
    except (KeyError, zipfile.BadZipFile):
        return None


ENDPOINTS = [
    Endpoint("GET", "/projects/{id}/jobs/artifacts/{ref_name:path}/download", download_latest),
    Endpoint("GET", "/projects/{id}/jobs/artifacts/{ref_name:path}/raw/{artifact_path:path}", download_latest_file),
    Endpoint("GET", "/projects/{id}/jobs/{job_id}/artifacts", download),
    Endpoint("DELETE", "/projects/{id}/jobs/{job_id}/artifacts", delete),
    Endpoint("POST", "/projects/{id}/jobs/{job_id}/artifacts/keep", keep),
    Endpoint("GET", "/projects/{id}/jobs/{job_id}/artifacts/{artifact_path:path}", download_file),
]
