"""Git LFS over HTTP: the batch API, and the objects themselves at the addresses that it gives.

Who may clone downloads, who may push uploads; the addresses take the login that asked for them. There are no locks:
a client that asks for them, as git-lfs does before a push, hears so and asks no more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from starlette.responses import FileResponse, Response

from shipline.server.git.visitors import pusher, reader
from shipline.server.http.answers import Refusal, refusal
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint
from shipline.server.large_files import NAME, LargeFiles, WrongContent

MEDIA_TYPE = "application/vnd.git-lfs+json"
LARGEST_BATCH = 4 << 20  # bytes; git-lfs asks for 100 objects at a time
NOT_HERE = "Object does not exist on the server or you don't have permissions to access it"
WRONG_NAME = "Validation failed: the oid is no SHA-256, or the size is negative"


class Pointer(msgspec.Struct):
    oid: str
    size: int

    @property
    def valid(self) -> bool:
        return bool(NAME.match(self.oid)) and self.size >= 0


class Batch(msgspec.Struct):
    """What a client wants to send or to have."""

    operation: Literal["upload", "download"]
    objects: list[Pointer]
    hash_algo: str = "sha256"


async def batch(call: Call) -> Response:
    """POST info/lfs/objects/batch: where each object is got or brought."""
    try:
        wanted = msgspec.json.decode(await call.whole_body(LARGEST_BATCH), type=Batch)
    except msgspec.DecodeError as error:
        raise refusal(422, f"This is no batch request: {error}") from None
    project, _ = await (pusher if wanted.operation == "upload" else reader)(call)
    if wanted.hash_algo != "sha256":
        raise refusal(409, "The hash algorithm has to be sha256.")
    stored = LargeFiles(Path(project.path))
    base = f"{_origin(call)}/{project.full_path}.git/gitlab-lfs/objects"
    login = call.request.headers.get("authorization")
    header = {"Authorization": login} if login else {}
    found = [_object(pointer, wanted.operation, stored, base, header) for pointer in wanted.objects]
    return _answer({"transfer": "basic", "objects": found, "hash_algo": "sha256"})


def _object(
    pointer: Pointer, operation: str, stored: LargeFiles, base: str, header: dict[str, str]
) -> dict[str, Any]:
    shape: dict[str, Any] = {"oid": pointer.oid, "size": pointer.size}
    if not pointer.valid:
        return shape | {"error": {"code": 422, "message": WRONG_NAME}}
    size = stored.size(pointer.oid)
    address = f"{base}/{pointer.oid}"
    if operation == "download":
        if size is None:
            return shape | {"error": {"code": 404, "message": NOT_HERE}}
        return shape | {"authenticated": True, "actions": {"download": {"href": address, "header": header}}}
    if size is not None:
        return shape  # it is here already
    action = {"href": f"{address}/{pointer.size}", "header": header}
    return shape | {"authenticated": True, "actions": {"upload": action}}


async def upload(call: Call) -> Response:
    """PUT gitlab-lfs/objects/:oid/:size."""
    project, _ = await pusher(call)
    name, size = call.path["oid"], call.path["size"]
    if not NAME.match(name) or not (size.isascii() and size.isdigit() and len(size) < 16):
        raise refusal(422, WRONG_NAME)
    stored = LargeFiles(Path(project.path))
    try:
        await stored.receive(name, int(size), call.pieces(int(size)))
    except WrongContent as error:
        raise refusal(422, str(error)) from None
    return Response(status_code=200)


async def download(call: Call) -> Response:
    """GET gitlab-lfs/objects/:oid, of which a client may ask for the rest that it has not."""
    project, _ = await reader(call)
    stored = LargeFiles(Path(project.path))
    name = call.path["oid"]
    if not NAME.match(name) or stored.size(name) is None:
        raise refusal(404, NOT_HERE)
    return FileResponse(stored.path(name), media_type="application/octet-stream")


async def lock(call: Call) -> Response:
    """Whatever is asked of locks."""
    await reader(call)
    raise Refusal(501, {"message": "This server keeps no locks of Git LFS."})


def _origin(call: Call) -> str:
    """The server as the client has reached it. Where that is by its own name, the scheme may be a proxy's."""
    own = urlsplit(call.instance.settings.url)
    host = call.request.headers.get("host", own.netloc)
    return f"{own.scheme if host == own.netloc else call.request.url.scheme}://{host}"


def _answer(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type=MEDIA_TYPE)


_LFS = "/{project:path}.git/info/lfs"
_OBJECTS = "/{project:path}.git/gitlab-lfs/objects"
ENDPOINTS = [
    Endpoint("POST", f"{_LFS}/objects/batch", batch, reads_body=False),
    Endpoint("GET", f"{_LFS}/locks", lock),
    Endpoint("POST", f"{_LFS}/locks", lock, reads_body=False),
    Endpoint("POST", f"{_LFS}/locks/verify", lock, reads_body=False),
    Endpoint("PUT", f"{_OBJECTS}/{{oid}}/{{size}}", upload, reads_body=False),
    Endpoint("GET", f"{_OBJECTS}/{{oid}}", download),
]
