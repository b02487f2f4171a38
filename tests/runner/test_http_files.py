"""Artifacts over HTTP, against a server that redirects, refuses and breaks off."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from shipline.protocol.coordinator import FileRefused, Upload
from shipline.protocol.payload import Dependency, GitInfo, JobInfo, JobPayload, RunnerInfo
from shipline.runner.http_coordinator import HttpCoordinator

JOB = JobPayload(
    7, "job-token", JobInfo("a", "test", 1, "p"), GitInfo("u", "main", "0" * 40, "0" * 40), RunnerInfo()
)
DEPENDENCY = Dependency(5, "earlier", "its-token")


class Site:
    """A server that answers as `answer` says and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer = lambda request: web.Response(status=201, text="201")
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = b""
        if request.content_type == "multipart/form-data":
            form = await request.multipart()
            while part := await form.next():
                body += f"{part.name}|{part.filename or ''}|".encode() + await part.read() + b"\n"
        self.asked.append((request.method, str(request.rel_url), dict(request.headers), body))
        return self.answer(request)

    async def start(self) -> web.AppRunner:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


@pytest.fixture
async def sites():
    """Two servers: GitLab's, and one where it keeps its files."""
    first, second = Site(), Site()
    runners = [await first.start(), await second.start()]
    yield first, second
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def coordinator(sites):
    made = HttpCoordinator(sites[0].url, "runner-token", "s_0123456789ab")
    yield made
    await made.close()


def upload() -> Upload:
    return Upload("artifacts.zip", "archive", "zip", "1 week")


async def test_an_upload_is_a_form_with_one_file(sites, coordinator, tmp_path):
    (tmp_path / "a").write_bytes(b"PK" * 100_000)
    assert await coordinator.upload_artifacts(JOB, upload(), tmp_path / "a") == "201 Created"
    [(method, path, headers, body)] = sites[0].asked
    assert method == "POST" and headers["JOB-TOKEN"] == "job-token"
    assert path == "/api/v4/jobs/7/artifacts?artifact_format=zip&artifact_type=archive&expire_in=1+week"
    said = b"artifact_format||zip\nartifact_type||archive\n"
    assert body == said + b"file|artifacts.zip|" + b"PK" * 100_000 + b"\n"


async def test_an_upload_follows_a_redirect_to_another_host(sites, coordinator, tmp_path):
    first, second = sites
    first.answer = lambda request: web.Response(
        status=307, headers={"Location": f"{second.url}/api/v4/jobs/7/artifacts"}
    )
    (tmp_path / "a").write_bytes(b"data")
    assert await coordinator.upload_artifacts(JOB, upload(), tmp_path / "a") == "201 Created"
    assert second.asked[0][3].endswith(b"file|artifacts.zip|data\n")
    first.answer = second.answer = lambda request: web.Response(status=307, headers={"Location": first.url})
    with pytest.raises(FileRefused, match="too many redirects"):
        await coordinator.upload_artifacts(JOB, upload(), tmp_path / "a")


@pytest.mark.parametrize(("status", "again"), [(413, False), (403, False), (400, False), (503, True), (500, True)])
async def test_refusals_say_whether_to_try_again(sites, coordinator, tmp_path, status, again):
    told = {"Retry-After": "7"}
    sites[0].answer = lambda request: web.json_response({"message": "because"}, status=status, headers=told)
    (tmp_path / "a").write_bytes(b"data")
    with pytest.raises(FileRefused, match="because") as caught:
        await coordinator.upload_artifacts(JOB, upload(), tmp_path / "a")
    assert caught.value.status.startswith(str(status)) and caught.value.again is again
    assert caught.value.after == 7.0


async def test_a_download_may_lead_to_a_store_which_does_not_see_the_token(sites, coordinator, tmp_path):
    first, second = sites
    first.answer = lambda request: web.Response(
        status=302, headers={"Location": f"{second.url}/bucket/x?signature=s"}
    )
    second.answer = lambda request: web.Response(body=b"zip" * 200_000)
    assert await coordinator.download_artifacts(JOB, DEPENDENCY, tmp_path / "to") == "200 OK"
    assert (tmp_path / "to").read_bytes() == b"zip" * 200_000
    assert first.asked[0][1] == "/api/v4/jobs/5/artifacts?direct_download=true"
    assert first.asked[0][2]["JOB-TOKEN"] == "its-token"
    assert second.asked[0][1] == "/bucket/x?signature=s"
    assert "JOB-TOKEN" not in second.asked[0][2]


async def test_only_the_first_attempt_asks_for_the_direct_way(sites, coordinator, tmp_path):
    sites[0].answer = lambda request: web.Response(body=b"zip")
    await coordinator.download_artifacts(JOB, DEPENDENCY, tmp_path / "to", 1)
    assert sites[0].asked[0][1] == "/api/v4/jobs/5/artifacts"


async def test_a_download_that_breaks_off_is_an_error_and_not_a_short_file(coordinator, sites, tmp_path):
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(half, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    broken = HttpCoordinator(f"http://127.0.0.1:{port}", "t", "s_1")
    with pytest.raises(OSError, match=r"127\.0\.0\.1"):
        await broken.download_artifacts(JOB, DEPENDENCY, Path(tmp_path / "to"))
    await broken.close()
    server.close()
    sites[0].answer = lambda request: web.Response(status=404)
    with pytest.raises(FileRefused) as caught:
        await coordinator.download_artifacts(JOB, DEPENDENCY, tmp_path / "to")
    assert caught.value.status == "404 Not Found" and not caught.value.again
