"""A server whose finished logs and artifacts live in a bucket: nobody who asks for them notices."""

import asyncio
import gzip
import io
import secrets
import tarfile
import time

import msgspec
import pytest
import requests
from tests.objects.s3 import store
from tests.server.conftest import Repository, Running, free_port, until
from tests.server.test_artifacts import zipped

from shipline.objects.objects import ObjectsError
from shipline.server.backup import back_up, restore
from shipline.server.depot import YOUNG
from shipline.server.errors import ServerError
from shipline.server.instance import Instance
from shipline.server.settings import Settings

PIPELINE = """\
build:
  tags: [kubernetes]
  script: [make]
  artifacts: {paths: [out], reports: {junit: j.xml}}
"""
ARCHIVE = zipped(out__x="x")
JUNIT = gzip.compress(b'<testsuite><testcase name="a" time="1.5"/></testsuite>')


@pytest.fixture(params=["bucket", "folder"])
def settings(request, tmp_path, monkeypatch):
    """Of a server that moves files as soon as it can and keeps none of them."""
    if request.param == "bucket":
        s3 = request.getfixturevalue("s3")
        bucket = f"server-{secrets.token_hex(6)}"
        store(s3, bucket).put("elsewhere", b"")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret)
        objects = f"s3://{bucket}/ci?endpoint={s3.endpoint}&region=us-east-1"
    else:
        objects = f"file://{tmp_path}/objects"
    return Settings(
        home=tmp_path / "home", port=free_port(), long_poll=2.0, objects=objects, objects_after=0.0, copies_limit=1
    )


@pytest.fixture
def server(settings, monkeypatch):
    monkeypatch.setattr("shipline.server.tending.ROUND", 0.2)
    running = Running(settings)
    yield running
    running.stop()


@pytest.fixture
def project(server, tmp_path):
    """Of a pipeline whose one job has left an archive, a report and a log; everything has been moved."""
    clone = Repository(tmp_path / "clone", server.remote("root/moved"))
    clone.commit({".gitlab-ci.yml": PIPELINE})
    clone.push()
    found = server.inside(lambda instance: instance.projects.find("root/moved"))
    agent = server.runner(kind="project_type", projects=[found.id], tags=["kubernetes"])
    agent.info = {"features": {"upload_multiple_artifacts": True}}
    job = agent.job()
    agent.trace(job, 0, b"hello from the job\n")
    for kind, content, name in (("archive", ARCHIVE, "a.zip"), ("junit", JUNIT, "j.xml")):
        form = "zip" if kind == "archive" else "gzip"
        answer = server.call(
            "POST",
            f"/jobs/{job['id']}/artifacts",
            params={"artifact_type": kind, "artifact_format": form},
            headers={"JOB-TOKEN": job["token"]},
            files={"file": (name, content)},
        )
        assert answer.status_code == 201, answer.text
    assert agent.update(job, "success").status_code == 200
    until(lambda: not left(server))
    return Found(found.id, job["id"])


class Found(msgspec.Struct):
    id: int
    job: int

    @property
    def api(self) -> str:
        return f"/projects/{self.id}"


def left(server):
    """The files of jobs that are on the server's own disk."""
    home = server.settings.home
    folders = [home / name for name in ("traces", "artifacts", "copies")]
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def test_everything_is_found_where_it_lives(server, project):
    archive = server.api("GET", f"{project.api}/jobs/{project.job}/artifacts")
    assert (archive.status_code, archive.content) == (200, ARCHIVE)
    assert server.api("GET", f"{project.api}/jobs/{project.job}/artifacts/out/x").text == "x"
    log = server.api("GET", f"{project.api}/jobs/{project.job}/trace")
    assert log.text == "hello from the job\n"
    [pipeline] = server.api("GET", f"{project.api}/pipelines").json()
    report = server.api("GET", f"{project.api}/pipelines/{pipeline['id']}/test_report").json()
    assert report["total_count"] == 1
    assert server.api("GET", f"{project.api}/jobs/artifacts/main/download?job=build").content == archive.content


def test_a_runner_may_fetch_from_the_bucket_itself(server, settings, project):
    agent = server.runner(kind="project_type", projects=[project.id], tags=["kubernetes"])
    agent.info = {"features": {"upload_multiple_artifacts": True}}
    assert server.api("POST", f"{project.api}/jobs/{project.job}/retry").status_code == 201
    token = agent.job()["token"]
    path = f"/jobs/{project.job}/artifacts"
    headers = {"JOB-TOKEN": token}
    asked = server.call("GET", path, params={"direct_download": "true"}, headers=headers, allow_redirects=False)
    if settings.objects.startswith("s3:"):
        assert (asked.status_code, asked.content) == (302, b"")
        assert requests.get(asked.headers["location"], timeout=20).content == ARCHIVE
    else:
        assert (asked.status_code, asked.content) == (200, ARCHIVE)
    plain = server.call("GET", path, headers=headers, allow_redirects=False)
    assert (plain.status_code, plain.content) == (200, ARCHIVE)


@pytest.mark.parametrize("target", ["bucket", "home"])
def test_a_backup_holds_what_has_moved(server, settings, project, tmp_path, target):
    file = io.BytesIO()
    back_up(msgspec.structs.replace(settings, objects=""), file)  # the home knows which bucket
    objects = f"file://{tmp_path}/others" if target == "bucket" else ""
    there = Settings(home=tmp_path / "there", port=free_port(), objects=objects)
    restore(there, io.BytesIO(file.getvalue()))
    moved = tmp_path / "others" if target == "bucket" else there.home
    assert (moved / f"artifacts/0/{project.job}/archive").read_bytes() == ARCHIVE
    again = Running(there)
    try:
        archive = again.api("GET", f"{project.api}/jobs/{project.job}/artifacts")
        assert (archive.status_code, archive.content) == (200, ARCHIVE)
        assert again.api("GET", f"{project.api}/jobs/{project.job}/trace").text == "hello from the job\n"
    finally:
        again.stop()


def test_a_restore_that_fails_leaves_nothing_in_the_bucket(server, settings, project, tmp_path):
    file = io.BytesIO()
    back_up(settings, file, with_key=False)
    there = Settings(home=tmp_path / "there", objects=f"file://{tmp_path}/others")
    with pytest.raises(ServerError, match="has no key"):
        restore(there, io.BytesIO(file.getvalue()))
    assert [path for path in (tmp_path / "others").rglob("*") if path.is_file()] == []
    shorter = io.BytesIO()
    back_up(settings, shorter, with_objects=False)
    assert [_has_objects(each.getvalue()) for each in (shorter, file)] == [False, True]


def _has_objects(backup: bytes) -> bool:
    with tarfile.open(fileobj=io.BytesIO(backup)) as archive:
        return any(name.startswith("objects/") for name in archive.getnames())


def test_what_is_erased_is_gone_everywhere(server, project):
    assert server.api("POST", f"{project.api}/jobs/{project.job}/erase").status_code == 201
    assert server.api("GET", f"{project.api}/jobs/{project.job}/artifacts").status_code == 404
    assert server.api("GET", f"{project.api}/jobs/{project.job}/trace").text == ""
    doomed = server.settings.home / "doomed"
    until(lambda: not list(doomed.iterdir()))

    async def names(instance):
        return [stored.name async for stored in instance.depot.bucket.list()]

    found = server.inside(lambda instance: asyncio.run_coroutine_threadsafe(names(instance), instance.loop))
    assert found.result(10) == []


def test_what_belongs_to_no_job_any_more_is_swept(server, project):
    async def sweep(instance):
        before = [stored.name async for stored in instance.depot.bucket.list()]
        await instance.depot.sweep(set, time.time() + 2 * YOUNG)
        kept = [stored.name async for stored in instance.depot.bucket.list()]
        await instance.depot.sweep(lambda numbers: set(), time.time() + 4 * YOUNG)
        return before, kept, [stored.name async for stored in instance.depot.bucket.list()]

    swept = server.inside(lambda instance: asyncio.run_coroutine_threadsafe(sweep(instance), instance.loop))
    before, kept, after = swept.result(10)
    assert len(before) == 3 and kept == before and after == []


def test_a_running_job_s_log_stays(server, tmp_path):
    clone = Repository(tmp_path / "running", server.remote("root/running"))
    clone.commit({".gitlab-ci.yml": PIPELINE})
    clone.push()
    found = server.inside(lambda instance: instance.projects.find("root/running"))
    agent = server.runner(kind="project_type", projects=[found.id], tags=["kubernetes"])
    agent.info = {"features": {"upload_multiple_artifacts": True}}
    job = agent.job()
    agent.trace(job, 0, b"one\n")
    time.sleep(1)
    assert agent.trace(job, 4, b"two\n").status_code == 202
    assert server.api("GET", f"/projects/{found.id}/jobs/{job['id']}/trace").text == "one\ntwo\n"
    assert [path.name for path in left(server)] == [str(job["id"])]


async def test_a_bucket_that_is_away_loses_nothing(tmp_path, monkeypatch):
    home = tmp_path / "home"
    address = f"s3://away?endpoint=http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    instance = Instance(Settings(home=home, objects=address, objects_after=0.0))
    try:
        instance.traces.write(7, 0, b"log\n")
        await instance.depot.round(set)
        assert instance.traces.read(7) == b"log\n"
        with pytest.raises(ObjectsError, match="cannot be reached"):
            await instance.traces.bring(8)
        instance.traces.erase(7)
        assert instance.traces.read(7) == b""
        assert [marker.name for marker in (home / "doomed").iterdir()] == ["traces%2F0%2F7"]
        await instance.depot.round(set)
        assert await instance.depot.bring(instance.traces.path(7)) is None
    finally:
        instance.close()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ftp://x", "the scheme is not known"),
        ("s3://user:secret@bucket", "Keys do not belong"),
        ("s3://bucket?colour=red", "colour: not known"),
        ("s3:///x", "names no bucket"),
    ],
)
async def test_addresses_that_make_no_sense(tmp_path, address, words):
    with pytest.raises(ServerError, match=words) as told:
        Instance(Settings(home=tmp_path, objects=address))
    assert "secret" not in str(told.value)
