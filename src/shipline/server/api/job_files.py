"""Artifacts of jobs: as an archive, as single files of it, kept, deleted."""

from __future__ import annotations

import asyncio
import mimetypes
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.responses import FileResponse, Response, StreamingResponse

from shipline.engine.hierarchy import family
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.api.jobs import wanted_job
from shipline.server.api.pipelines import reading
from shipline.server.http.answers import no_such, refusal
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged
from shipline.server.http.routes import Endpoint

BLOCK = 1 << 18
LEVELS = {"all": may.NO_ACCESS, "developer": may.DEVELOPER, "maintainer": may.MAINTAINER, "none": may.ADMIN + 1}
"""The level that a person needs to get a job's files, by what its `artifacts:access` says."""
RECENT = 100
"""Pipelines that are looked through for one with the artifacts that are wanted."""
PAGES = ("text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml")


async def download(call: Call) -> Response:
    return await _archive(call, _readable(call, *wanted_job(call, reading(call))))


async def download_file(call: Call) -> Response:
    return await _file(call, _readable(call, *wanted_job(call, reading(call))))


def _readable(call: Call, project: Any, row: Any) -> int:
    """The job's number; 403 where `artifacts:access` or `artifacts:public` keep its files from the caller."""
    artifacts = call.instance.pipelines.live(row.pipeline_id).definitions[row.name].artifacts
    access = artifacts.get("access") or ("developer" if artifacts.get("public") is False else "all")
    needed = LEVELS[access]
    if needed and call.instance.projects.level(project, call.caller) < needed:
        raise refusal(403)
    return int(row.id)


async def download_latest(call: Call) -> Response:
    """The archive of a job in the newest successful pipeline of a ref."""
    return await _archive(call, _newest(call))


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
    call.instance.pipelines.files_gone(row.id)
    call.audit("delete artifacts", str(row.id))
    return Response(status_code=204)


async def delete_all(call: Call) -> Response:
    """What the project's jobs left and would expire some day."""
    project = call.project(may.MAINTAINER)
    for job_id in call.instance.artifacts.expirable(project.id):
        call.instance.artifacts.delete(job_id)
        call.instance.pipelines.files_gone(job_id)
    call.audit("delete artifacts of project", project.full_path)
    return call.json({"message": "202 Accepted"}, 202)


async def tree(call: Call) -> Response:
    """What is in an archive: the entries of one folder, or all below it."""
    archive = call.instance.artifacts.archive(_readable(call, *wanted_job(call, reading(call))))
    if archive is None:
        raise no_such("Artifacts")
    folder = call.text("path").strip("/")
    names = await asyncio.to_thread(_entries, await _here(call, archive))
    found = [shape for path, shape in sorted(names.items()) if _is_in(path, folder, call.boolean("recursive"))]
    if folder and folder not in names:
        raise no_such("Path")
    return paged(call, found, lambda shape: shape)


def _is_in(path: str, folder: str, recursive: bool) -> bool:
    if folder and not path.startswith(f"{folder}/"):
        return False
    rest = path[len(folder) + 1 if folder else 0 :]
    return recursive or "/" not in rest


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    """The archive's entries by path, with the folders that it has no entry for."""
    found: dict[str, dict[str, Any]] = {}
    try:
        with zipfile.ZipFile(path) as file:
            infos = file.infolist()
    except zipfile.BadZipFile:
        return {}
    for info in infos:
        name = info.filename.rstrip("/")
        parts = name.split("/")
        for end in range(1, len(parts)):
            above = "/".join(parts[:end])
            found.setdefault(above, {"name": parts[end - 1], "path": above, "type": "directory", "size": 0})
        kind = "directory" if info.is_dir() else "file"
        found[name] = {"name": parts[-1], "path": name, "type": kind, "size": info.file_size}
    return found


def _newest(call: Call) -> int:
    """The number of the job of that name in the newest pipeline of the ref that succeeded, or in one that it
    triggered. With `search_recent_successful_pipelines`: in the newest where that job has an archive."""
    project = call.project(reading(call))
    call.required("job")
    mine = (t.pipelines.c.project_id == project.id) & (t.pipelines.c.ref == call.path["ref_name"])
    query = sa.select(t.pipelines.c.id).where(mine, t.pipelines.c.status == "success")
    search = call.boolean("search_recent_successful_pipelines")
    rows = call.instance.database.all(query.order_by(t.pipelines.c.id.desc()).limit(RECENT if search else 1))
    if not rows:
        raise refusal(404, "404 Not found")
    for row in rows:
        job = _job_in(call, project.id, family(call.instance.pipelines, row[0]), call.text("job"))
        if job is not None and (not search or call.instance.artifacts.archive(job.id) is not None):
            return _readable(call, project, job)
    raise no_such("Job")


def _job_in(call: Call, project_id: int, pipelines: list[int], name: str) -> Any | None:
    mine = t.jobs.c.pipeline_id.in_(pipelines) & (t.jobs.c.project_id == project_id)
    known = mine & (t.jobs.c.name == name) & t.jobs.c.latest
    query = sa.select(t.jobs).where(known, t.jobs.c.status == "success")
    return call.instance.database.one(query.order_by(t.jobs.c.id.desc()).limit(1))


async def _archive(call: Call, job_id: int) -> Response:
    archive = call.instance.artifacts.archive(job_id)
    if archive is None:
        raise refusal(404)
    headers = {"ETag": f'"{archive.sha256}"', "Content-Transfer-Encoding": "binary"}
    path = await _here(call, archive)
    return FileResponse(path, media_type="application/octet-stream", filename=archive.filename, headers=headers)


async def _here(call: Call, archive: Any) -> Path:
    """The archive's file, fetched where it has been moved away."""
    path = await call.instance.artifacts.file(archive)
    if path is None:
        raise refusal(404)
    return path


async def _file(call: Call, job_id: int) -> Response:
    """One file of an archive, in constant memory."""
    wanted = call.path["artifact_path"]
    if ".." in wanted.split("/"):
        raise refusal(400)
    archive = call.instance.artifacts.archive(job_id)
    if archive is None:
        raise refusal(404)
    path = await _here(call, archive)
    size = await asyncio.to_thread(_size, path, wanted)
    if size is None:
        raise refusal(404)
    kind = mimetypes.guess_type(wanted)[0] or "application/octet-stream"
    if kind in PAGES:
        kind = "text/plain"  # a job's page must not act in the server's name
    headers = {"Content-Length": str(size), "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(_content(path, wanted), media_type=kind, headers=headers)


def _size(path: Path, wanted: str) -> int | None:
    """The size of a file of the archive; None where there is no such file."""
    try:
        with zipfile.ZipFile(path) as file:
            info = file.getinfo(wanted)
            return None if info.is_dir() or stat.S_ISLNK(info.external_attr >> 16) else info.file_size
    except (KeyError, zipfile.BadZipFile):
        return None


def _content(path: Path, wanted: str) -> Iterator[bytes]:
    with zipfile.ZipFile(path) as file, file.open(wanted) as content:
        while block := content.read(BLOCK):
            yield block


_JOB = "/projects/{id}/jobs/{job_id}/artifacts"
_REF = "/projects/{id}/jobs/artifacts/{ref_name:path}"
_LATEST = "job! search_recent_successful_pipelines:bool"
ENDPOINTS = [
    Endpoint("DELETE", "/projects/{id}/artifacts", delete_all, gives="any", status=202),
    Endpoint("GET", _REF + "/download", download_latest, takes=_LATEST, gives="file"),
    Endpoint("GET", _REF + "/raw/{artifact_path:path}", download_latest_file, takes=_LATEST, gives="file"),
    Endpoint("GET", _JOB, download, gives="file"),
    Endpoint("DELETE", _JOB, delete, gives="-"),
    Endpoint("POST", _JOB + "/keep", keep, gives="Job", status=200),
    Endpoint("GET", _JOB + "/tree", tree, takes=f"{PAGE} path recursive:bool", gives="[any]"),
    Endpoint("GET", _JOB + "/{artifact_path:path}", download_file, gives="file"),
]
