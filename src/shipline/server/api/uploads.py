"""/projects/:id/uploads: files that releases and texts link to; and where these links lead."""

from __future__ import annotations

import mimetypes
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import shapes
from shipline.server.api.commits import reading_code
from shipline.server.http.answers import no_record, time_text
from shipline.server.http.call import Call
from shipline.server.http.files import uploaded
from shipline.server.http.paging import PAGE, paged_query
from shipline.server.http.routes import Endpoint
from shipline.server.uploads import LARGEST
from shipline.server.web import sessions


async def upload(call: Call) -> Response:
    """POST: a form with one file. A larger file than is allowed is not read to its end."""
    project, user = call.project(may.REPORTER), call.user()
    async with uploaded(call, LARGEST) as file:
        name = file.filename or "file"
        secret, size = await run_in_threadpool(call.instance.uploads.write, project.id, file.file)
    row = call.instance.uploads.add(project.id, secret, name, size, user.user_id)
    call.audit("upload", f"{project.full_path}: {row.filename}")
    address = f"/uploads/{row.secret}/{row.filename}"
    return call.json(
        {
            "id": row.id,
            "alt": row.filename.rpartition(".")[0] or row.filename,
            "url": address,
            "full_path": f"/-/project/{project.id}{address}",
            "markdown": f"[{row.filename}]({address})",
        },
        201,
    )


async def list_uploads(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    return paged_query(
        call, call.instance.uploads.of(project.id), lambda row: _shape(call, row), [t.uploads.c.id.desc()]
    )


async def download(call: Call) -> Response:
    """GET, by the number: for maintainers."""
    project = call.project(may.MAINTAINER)
    return _file(call, call.instance.uploads.by_id(project.id, call.number("upload_id")))


async def show(call: Call) -> Response:
    """GET, by the secret: for who may read the project."""
    project = call.project(reading_code(call))
    return _file(call, call.instance.uploads.by_secret(project.id, call.path["secret"], call.path["filename"]))


async def linked(call: Call) -> Response:
    """Where links to it lead: for who has a token or is signed in with a browser."""
    call.caller = call.caller or sessions.caller(call.instance, call.request)
    return await show(call)


async def delete(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    row = call.instance.uploads.by_id(project.id, call.number("upload_id"))
    if row is None:
        raise no_record()
    call.instance.uploads.delete(row)
    call.audit("delete upload", f"{project.full_path}: {row.filename}")
    return Response(status_code=204)


def _file(call: Call, row: Any) -> Response:
    path = call.instance.uploads.path(row.project_id, row.secret) if row is not None else None
    if path is None or not path.exists():
        raise no_record()
    media = mimetypes.guess_type(row.filename)[0] or "application/octet-stream"
    return FileResponse(
        path,
        media_type=media,
        filename=row.filename,
        headers={"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"},
    )


def _shape(call: Call, row: Any) -> shapes.Shape:
    user = call.instance.accounts.user(row.user_id)
    by = {"id": user.id, "name": user.name, "username": user.username} if user is not None else None
    return {
        "id": row.id,
        "size": row.size,
        "filename": row.filename,
        "created_at": time_text(row.created_at),
        "uploaded_by": by,
    }


_ALL = "/projects/{id}/uploads"
ENDPOINTS = [
    Endpoint("GET", _ALL, list_uploads, takes=PAGE, gives="[Upload]"),
    Endpoint("POST", _ALL, upload, reads_body=False, gives="CreatedUpload"),
    Endpoint("GET", _ALL + "/{upload_id}", download, gives="file"),
    Endpoint("DELETE", _ALL + "/{upload_id}", delete, gives="-"),
    Endpoint("GET", _ALL + "/{secret}/{filename}", show, gives="file"),
]
LINKED = [Endpoint("GET", "/-/project/{id}/uploads/{secret}/{filename}", linked, gives="file")]
"""Outside of the API."""
