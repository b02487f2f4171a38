"""/projects/:id/repository: files, trees, blobs, archives."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import FileResponse, Response, StreamingResponse

from shipline.engine.git import GitError
from shipline.server import permissions as may
from shipline.server.api import shapes
from shipline.server.api.commits import commit, reading_code
from shipline.server.api.written import write_commit
from shipline.server.git import content as git
from shipline.server.git import reading
from shipline.server.git.writing import Action
from shipline.server.http.answers import no_such, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged
from shipline.server.http.routes import Endpoint
from shipline.server.large_files import LargeFiles, named_by

KINDS = {
    "tar.gz": "application/gzip",
    "tar": "application/x-tar",
    "tar.bz2": "application/x-bzip2",
    "zip": "application/zip",
}
SUFFIXES = {"tbz": "tar.bz2", "tbz2": "tar.bz2", "tb2": "tar.bz2", "bz2": "tar.bz2"}
ENCODINGS = ("text", "base64")


async def show(call: Call) -> Response:
    shape = await _file(call, call.filled("ref"))
    headers = _headers(shape)
    return call.json(shape, 200, **headers)


async def raw(call: Call) -> Response:
    project = call.project(reading_code(call))
    shape = await _file(call, call.text("ref") or project.default_branch)
    headers = {key.replace("_", "-"): value for key, value in _headers(shape).items()}
    name = quote(shape["file_name"])
    headers["Content-Disposition"] = f"inline; filename=\"{name}\"; filename*=UTF-8''{name}"
    content = base64.b64decode(shape["content"])
    large = named_by(content) if call.boolean("lfs") else None
    stored = LargeFiles(Path(project.path))
    if large is not None and stored.size(large) is not None:
        disposition = {"Content-Disposition": headers["Content-Disposition"]}
        return FileResponse(stored.path(large), media_type="application/octet-stream", headers=disposition)
    return Response(content, media_type="text/plain", headers=headers)


async def blame(call: Call) -> Response:
    project = call.project(reading_code(call))
    path, sha = Path(project.path), await _commit(call, project, call.filled("ref"))
    try:
        runs = await asyncio.to_thread(git.blame, path, sha, call.path["file_path"])
    except GitError:
        raise no_such("File") from None
    refs = [reading.GitRef("", name, name, "", None) for name, _ in runs]
    known = await asyncio.to_thread(reading.commits_of, path, refs)
    return call.json(
        [
            {"commit": commit(call, known[name], project.full_path) if name in known else None, "lines": lines}
            for name, lines in runs
        ]
    )


async def create(call: Call) -> Response:
    return await _written(call, "create", 201)


async def update(call: Call) -> Response:
    return await _written(call, "update", 200)


async def delete(call: Call) -> Response:
    project = call.project(may.DEVELOPER)
    action = Action("delete", _path(call), last_commit=call.text("last_commit_id") or None)
    await write_commit(call, project, [action])
    return Response(status_code=204)


async def _written(call: Call, kind: str, status: int) -> Response:
    project = call.project(may.DEVELOPER)
    executable = call.boolean("execute_filemode") if call.given("execute_filemode") else None
    content = decoded(call.text("content"), call.text("encoding") or "text")
    last = call.text("last_commit_id") or None
    action = Action(kind, _path(call), content, executable=executable, last_commit=last)
    await write_commit(call, project, [action])
    return call.json({"file_path": action.path, "branch": call.text("branch")}, status)


async def list_tree(call: Call) -> Response:
    project = call.project(reading_code(call))
    ref = call.text("ref") or project.default_branch
    sha = await asyncio.to_thread(git.resolve, Path(project.path), ref)
    folder = call.text("path")
    if sha is None:
        if not call.given("ref"):
            return paged(call, [], _entry)
        raise no_such("Tree")
    found = await asyncio.to_thread(git.tree, Path(project.path), sha, folder, recursive=call.boolean("recursive"))
    if found is None:
        raise no_such("invalid revision or path")
    return paged(call, found, _entry)


async def show_blob(call: Call) -> Response:
    content = await _blob(call)
    shape = {
        "size": len(content),
        "encoding": "base64",
        "content": base64.b64encode(content).decode(),
        "sha": call.path["sha"],
    }
    return call.json(shape)


async def raw_blob(call: Call) -> Response:
    return Response(await _blob(call), media_type="text/plain")


async def archive(call: Call) -> Response:
    project = call.project(reading_code(call))
    kind = call.path.get("format", "tar.gz").lstrip(".")
    kind = SUFFIXES.get(kind, kind)
    if kind not in KINDS:
        raise no_such("File")
    wanted = call.text("sha") or project.default_branch
    sha = await asyncio.to_thread(git.resolve, Path(project.path), wanted)
    if sha is None:
        raise no_such("File")
    folder = call.text("path").strip("/")
    if folder and await asyncio.to_thread(git.entry, Path(project.path), sha, folder) is None:
        raise no_such("File")
    name = f"{project.full_path.rpartition('/')[2]}-{wanted.replace('/', '-')}-{sha}"
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(f'{name}.{kind}')}"}
    pieces = git.archive(Path(project.path), sha, kind, name, folder)
    return StreamingResponse(pieces, media_type=KINDS[kind], headers=headers)


def decoded(text: str, encoding: str) -> bytes:
    """The content of a file as a call sends it."""
    if encoding not in ENCODINGS:
        raise wrong_parameter("encoding does not have a valid value")
    if encoding == "text":
        return text.encode()
    try:
        return base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        raise wrong_parameter("content is invalid") from None


async def _file(call: Call, ref: str) -> dict[str, Any]:
    project = call.project(reading_code(call))
    path, name = Path(project.path), _path(call)
    sha = await _commit(call, project, ref)
    found = await asyncio.to_thread(git.entry, path, sha, name)
    if found is None or found.kind != "blob":
        raise no_such("File")
    text = await asyncio.to_thread(git.blob, path, found.sha)
    assert text is not None
    return {
        "file_name": name.rpartition("/")[2],
        "file_path": name,
        "size": len(text),
        "encoding": "base64",
        "content_sha256": hashlib.sha256(text).hexdigest(),
        "ref": ref,
        "blob_id": found.sha,
        "commit_id": sha,
        "last_commit_id": await asyncio.to_thread(git.last_commit, path, sha, name),
        "execute_filemode": found.mode == "100755",
        "content": base64.b64encode(text).decode(),
    }


async def _commit(call: Call, project: Any, ref: str) -> str:
    sha = await asyncio.to_thread(git.resolve, Path(project.path), ref)
    if sha is None:
        raise no_such("Commit")
    return sha


async def _blob(call: Call) -> bytes:
    project, sha = call.project(reading_code(call)), call.path["sha"]
    plain = sha.isalnum() and sha.isascii()
    content = await asyncio.to_thread(git.blob, Path(project.path), sha) if plain else None
    if content is None:
        raise no_such("Blob")
    return content


def _path(call: Call) -> str:
    path = call.path["file_path"]
    parts = path.split("/")
    if not path or path.startswith("/") or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise wrong_parameter("file_path should be a valid file path")
    return path


def _headers(shape: dict[str, Any]) -> dict[str, str]:
    """The file's fields as headers, which HEAD is for."""
    plain = {key: value for key, value in shape.items() if key != "content"}
    words = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in plain.items()}
    return {
        "X_Gitlab_" + "_".join(part.capitalize() for part in key.split("_")): quote(value, safe="/ :._-")
        for key, value in words.items()
    }


def _entry(item: git.Entry) -> shapes.Shape:
    return {
        "id": item.sha,
        "name": item.path.rpartition("/")[2],
        "type": item.kind,
        "path": item.path,
        "mode": item.mode,
    }


_BASE = "/projects/{id}/repository"
_FILE = _BASE + "/files/{file_path}"
_COMMITTED = "branch! commit_message! start_branch author_email author_name"
_CONTENT = f"content! encoding:text|base64 execute_filemode:bool {_COMMITTED}"
ENDPOINTS = [
    Endpoint("GET", _FILE, show, takes="ref!", gives="File"),
    Endpoint("GET", _FILE + "/raw", raw, takes="ref lfs:bool", gives="text"),
    Endpoint("GET", _FILE + "/blame", blame, takes="ref!", gives="[hash]"),
    Endpoint("POST", _FILE, create, takes=_CONTENT, gives="WrittenFile"),
    Endpoint("PUT", _FILE, update, takes=f"last_commit_id {_CONTENT}", gives="WrittenFile"),
    Endpoint("DELETE", _FILE, delete, takes=f"last_commit_id {_COMMITTED}", gives="-"),
    Endpoint("GET", _BASE + "/tree", list_tree, takes=f"path ref recursive:bool {PAGE}", gives="[TreeEntry]"),
    Endpoint("GET", _BASE + "/blobs/{sha}", show_blob, gives="Blob"),
    Endpoint("GET", _BASE + "/blobs/{sha}/raw", raw_blob, gives="text"),
    Endpoint("GET", _BASE + "/archive", archive, takes="sha path", gives="file"),
    Endpoint("GET", _BASE + "/archive{format}", archive, takes="sha path", gives="file"),
]
