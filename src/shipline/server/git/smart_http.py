"""Git's smart HTTP protocol in front of `git upload-pack` and `git receive-pack`.

Contents are streamed through: a large repository takes no memory here. A push is read as far as its commands,
checked, and handed on; what the pusher is told of its pipelines follows git's own report in the side band.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import zlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from shipline.server.errors import ServerError
from shipline.server.git.pkt_line import DATA, FLUSH, PROGRESS, packets, pkt, section, side_band
from shipline.server.git.pushes import Change, forbidden, forbids_rewriting, pushed
from shipline.server.git.visitors import pusher, reader
from shipline.server.http.answers import Refusal, refusal
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint

BLOCK = 1 << 16
LARGEST_COMMANDS = 1 << 20
LARGEST_WISHES = 16 << 20
"""Bytes in which a client says what it wants and what it has."""
SERVICES = ("git-upload-pack", "git-receive-pack")
NEVER_KEPT = {"Cache-Control": "no-cache, max-age=0, must-revalidate"}


class Push(msgspec.Struct):
    """The beginning of a push: its commands, and all bytes that were read of it."""

    changes: list[Change]
    capabilities: frozenset[str]
    options: list[str]
    head: bytes


async def advertise(call: Call) -> Response:
    """GET info/refs: what there is, for the one service asked for."""
    service = call.text("service")
    if service not in SERVICES:
        raise refusal(403, "Git over HTTP is spoken in its smart form only.")
    who = reader if service == "git-upload-pack" else pusher
    try:
        project, _ = await who(call)
    except Refusal as why:
        return _told(why)
    process = await _start(call, project, service, "--http-backend-info-refs")
    output, _ = await process.communicate()
    if _version(call) != "version=2":
        output = pkt(f"# service={service}\n".encode()) + FLUSH + output
    return Response(output, headers=NEVER_KEPT, media_type=f"application/x-{service}-advertisement")


async def with_suffix(call: Call) -> Response:
    """An address without `.git` leads to the one with it."""
    query = call.request.scope["query_string"].decode()
    return RedirectResponse(f"/{call.request.path_params['project']}.git/info/refs?{query}", 301)


async def upload_pack(call: Call) -> Response:
    """POST git-upload-pack: somebody clones or fetches."""
    project, _ = await reader(call)
    wishes = b""
    async for part in _body(call):
        wishes += part
        if len(wishes) > LARGEST_WISHES:
            raise refusal(413)
    process = await _start(call, project, "git-upload-pack")
    output = _output(process, asyncio.create_task(_feed(process, wishes)))
    return StreamingResponse(output, headers=NEVER_KEPT, media_type="application/x-git-upload-pack-result")


async def receive_pack(call: Call) -> Response:
    """POST git-receive-pack: somebody pushes."""
    project, caller = await pusher(call)
    body = _body(call)
    push = await _beginning(body)
    why = forbidden(call.instance, project, caller, push.changes)
    if why is not None:
        async for _ in body:
            pass
        return _result(_refused(push, why))
    settings = []
    if forbids_rewriting(call.instance, project, push.changes):
        settings = ["-c", "receive.denyNonFastForwards=true", "-c", "receive.denyDeletes=true"]
    process = await _start(call, project, "git-receive-pack", settings=settings)
    feeding = asyncio.create_task(_feed(process, push.head, body))
    assert process.stdout is not None
    output = await process.stdout.read()
    await feeding
    await process.wait()
    accepted = _accepted(output)
    changes = [change for change in push.changes if change.ref.encode() in accepted]
    lines = await pushed(call.instance, project, caller, changes, push.options) if changes else []
    return _result(_with_lines(output, lines))


def _told(why: Refusal) -> Response:
    """A refusal as git shows it to people: it keeps JSON to itself."""
    text = why.body["message"]
    return PlainTextResponse(f"{text['error'] if isinstance(text, dict) else text}\n", why.status, why.headers)


ENDPOINTS = [
    Endpoint("GET", "/{project:path}.git/info/refs", advertise, reads_body=False),
    Endpoint("GET", "/{project:path}/info/refs", with_suffix, reads_body=False),
    Endpoint("POST", "/{project:path}.git/git-upload-pack", upload_pack, reads_body=False),
    Endpoint("POST", "/{project:path}.git/git-receive-pack", receive_pack, reads_body=False),
]


def _result(output: bytes) -> Response:
    return Response(output, headers=NEVER_KEPT, media_type="application/x-git-receive-pack-result")


def _version(call: Call) -> str:
    return call.request.headers.get("git-protocol", "")


async def _start(
    call: Call, project: Any, service: str, *flags: str, settings: list[str] | None = None
) -> asyncio.subprocess.Process:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    if (version := _version(call)).startswith("version="):
        environment["GIT_PROTOCOL"] = version
    try:
        return await asyncio.create_subprocess_exec(
            *("git", "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*", *(settings or [])),
            *(service.removeprefix("git-"), "--stateless-rpc", *flags, project.path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
        )
    except FileNotFoundError:
        raise ServerError("The program git is not there. Install it (apt install git).") from None


async def _body(call: Call) -> AsyncIterator[bytes]:
    """The request's body, unpacked where git has compressed it."""
    unpacked = zlib.decompressobj(16 + zlib.MAX_WBITS)
    compressed = call.request.headers.get("content-encoding") in ("gzip", "x-gzip")
    async for part in call.request.stream():
        if compressed:
            try:
                part = unpacked.decompress(part)
            except zlib.error:
                raise refusal(400) from None
        if part:
            yield part


async def _feed(process: asyncio.subprocess.Process, head: bytes, body: AsyncIterator[bytes] | None = None) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(head)
        await process.stdin.drain()
        if body is not None:
            async for part in body:
                process.stdin.write(part)
                await process.stdin.drain()
        process.stdin.close()


async def _output(process: asyncio.subprocess.Process, feeding: asyncio.Task[None]) -> AsyncIterator[bytes]:
    assert process.stdout is not None
    try:
        while block := await process.stdout.read(BLOCK):
            yield block
        await process.wait()
    finally:
        feeding.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _beginning(body: AsyncIterator[bytes]) -> Push:
    """Reads a push up to the end of its commands and options."""
    head = b""
    try:
        async for part in body:
            head += part
            if (push := _parsed(head)) is not None:
                return push
            if len(head) > LARGEST_COMMANDS:
                break
    except ValueError:
        pass
    raise Refusal(400, {"message": "400 Bad request - not a push"})


def _parsed(head: bytes) -> Push | None:
    first = section(head)
    if first is None:
        return None
    lines, end = first
    capabilities = frozenset(lines[0].partition(b"\0")[2].decode().split()) if lines else frozenset[str]()
    changes = []
    for line in lines:
        words = line.partition(b"\0")[0].decode(errors="surrogateescape").strip().split(" ", 2)
        if len(words) == 3:
            changes.append(Change(*words))
    options: list[str] = []
    if "push-options" in capabilities:
        second = section(head[end:])
        if second is None:
            return None
        options = [line.decode(errors="replace").strip() for line in second[0]]
    return Push(changes, capabilities, options, head)


def _accepted(output: bytes) -> set[bytes]:
    """The refs that git reports to have changed."""
    packed = b"".join(packet[1:] for packet in packets(output) if packet[:1] == DATA)
    report = list(packets(packed)) or list(packets(output))
    return {line[3:].strip() for line in report if line.startswith(b"ok ")}


def _with_lines(output: bytes, lines: list[str]) -> bytes:
    """git's answer with lines for the pusher before its end."""
    if not lines or not output.endswith(FLUSH):
        return output
    text = "\n".join(["", *lines, "", ""]).encode()
    return output[: -len(FLUSH)] + side_band(PROGRESS, text) + FLUSH


def _refused(push: Push, why: str) -> bytes:
    """git's report for a push of which nothing was taken."""
    report = pkt(b"unpack ok\n")
    for change in push.changes:
        report += pkt(f"ng {change.ref} refused by the server\n".encode(errors="surrogateescape"))
    report += FLUSH
    if not push.capabilities & {"side-band", "side-band-64k"}:
        return report
    return side_band(PROGRESS, f"\n{why}\n\n".encode()) + side_band(DATA, report) + FLUSH
