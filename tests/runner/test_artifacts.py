"""Artifacts of jobs in this machine's shell and in pods: kept after the script, put in place before it."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest
from tests.runner.desk import Desk, job, run

from shipline.protocol.coordinator import FileRefused
from shipline.protocol.payload import Artifacts, ArtifactsFile, Dependency, Variable


class Counter(Desk):
    """A desk that keeps what jobs leave, by job and type, and may be in a bad mood."""

    def __init__(self, *jobs, moods=()) -> None:
        super().__init__(*jobs)
        self.kept = {}
        self.uploads = {}
        self.moods = list(moods)
        self.tries = 0

    async def upload_artifacts(self, job, upload, file):
        self._mood()
        self.kept[job.id, upload.artifact_type] = file.read_bytes()
        self.uploads[job.id, upload.artifact_type] = upload
        return "201 Created"

    async def download_artifacts(self, job, dependency, to, attempt=0):
        self._mood()
        if (dependency.id, "archive") not in self.kept:
            raise FileRefused("404 Not Found")
        to.write_bytes(self.kept[dependency.id, "archive"])
        return "200 OK"

    def _mood(self):
        self.tries += 1
        if self.moods:
            raise self.moods.pop(0)


@pytest.fixture(params=["shell", pytest.param("pods", marks=pytest.mark.engine)])
def config(request):
    return request.getfixturevalue("shells" if request.param == "shell" else "pods")


def keep(*paths, **fields):
    return Artifacts(list(paths), artifact_type="archive", artifact_format="zip", **fields)


def after(earlier, name="build"):
    return [Dependency(earlier.id, name, "token", ArtifactsFile("artifacts.zip", 1))]


def names(data: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(data)).namelist()


async def test_files_go_from_one_job_to_the_next(config, source):
    one = job(
        source,
        "mkdir -p out/deep; echo made > out/a; echo b > out/deep/b; ln -s a out/link; chmod 750 out/a; umask 077",
        "echo secret > hidden.txt",
        artifacts=[keep("out/", "$FILE", "nothing", exclude=["out/**/b"], name="$CI_JOB_NAME/x y")],
        variables=[Variable("FILE", "hidden.txt"), Variable("CI_JOB_NAME", "build")],
        after=["echo from after_script > out/after"],
    )
    desk = Counter(one)
    await run(config, desk)
    log = desk.log(one)
    assert desk.results[one.id].state == "success", log
    assert "Uploading artifacts for successful job" in log
    assert "out/: found 5 matching artifact files and directories" in log
    assert "out/**/b: excluded 1 files" in log
    assert "WARNING: nothing: no matching files. Ensure that the artifact path is relative to the working" in log
    assert 'Uploading artifacts as "archive" to coordinator... 201 Created' in log
    assert desk.uploads[one.id, "archive"].filename == "x y.zip"
    assert log.index("after_script") < log.index("Uploading artifacts")
    two = job(source, "cat out/a out/after hidden.txt; readlink out/link; stat -c mode=%a out/a", "ls out/deep")
    two.dependencies = after(one)
    desk.waiting.append(two)
    await run(config, desk, 2)
    log = desk.log(two)
    assert desk.results[two.id].state == "success", log
    assert f"Downloading artifacts for build ({one.id})..." in log
    assert "Downloading artifacts from coordinator... ok" in log
    assert "made\nfrom after_script\nsecret\na\nmode=750\n" in log
    assert log.index("Downloading artifacts") < log.index("$ cat out/a")


async def test_when_decides_what_is_kept_and_reports_always_are(config, source):
    def wanted():
        return [
            keep("good", when="on_success"),
            Artifacts(["j.xml"], None, "junit.xml", None, "always", None, "junit", "gzip"),
        ]

    bad = job(source, "echo 1 > good; echo '<x/>' > j.xml; exit 3", artifacts=wanted())
    desk = Counter(bad)
    await run(config, desk)
    assert (bad.id, "archive") not in desk.kept
    assert gzip.decompress(desk.kept[bad.id, "junit"]) == b"<x/>\n"
    assert desk.uploads[bad.id, "junit"].filename == "junit.xml.gz"
    assert desk.results[bad.id].exit_code == 3
    assert "Uploading artifacts for failed job" in desk.log(bad)


async def test_an_after_script_that_counts_fails_the_job_when_everything_else_is_done(config, source):
    strict = [Variable("AFTER_SCRIPT_IGNORE_ERRORS", "false")]
    payload = job(source, "touch good", after=["exit 4"], variables=strict, artifacts=[keep("good", when="always")])
    desk = Counter(payload)
    await run(config, desk)
    assert (desk.results[payload.id].failure_reason, desk.results[payload.id].exit_code) == ("script_failure", 4)
    assert (payload.id, "archive") in desk.kept
    both = job(source, "exit 3", after=["exit 4"], variables=strict)
    desk.waiting.append(both)
    await run(config, desk, 2)
    assert desk.results[both.id].exit_code == 3, "the script's own failure counts first"


async def test_nothing_to_keep_is_said_and_fails_no_job(shells, source):
    payload = job(source, "true", artifacts=[keep("nothing/")])
    desk = Counter(payload)
    await run(shells, desk)
    assert "ERROR: No files to upload" in desk.log(payload)
    assert desk.results[payload.id].state == "success"


async def test_untracked_files(shells, source):
    payload = job(source, "echo x > new; echo changed > hello.txt", artifacts=[keep(untracked=True)])
    desk = Counter(payload)
    await run(shells, desk)
    assert "untracked: found 1 files" in desk.log(payload)
    assert names(desk.kept[payload.id, "archive"]) == ["new"]


async def test_an_upload_is_tried_again_and_fails_the_job_in_the_end(shells, source):
    busy = [FileRefused("503 Service Unavailable", again=True) for _ in range(2)]
    payload = job(source, "echo x > f", artifacts=[keep("f")])
    desk = Counter(payload, moods=[*busy, OSError("the connection broke")])
    desk_log = await finished(shells, desk, payload)
    assert desk.tries == 4 and desk.results[payload.id].state == "success", desk_log
    large = job(source, "echo x > f", artifacts=[keep("f"), keep("f")])
    desk = Counter(large, moods=[FileRefused("413 Request Entity Too Large", "too large archive")])
    log = await finished(shells, desk, large)
    assert desk.tries == 1
    assert (
        'Uploading artifacts as "archive" to coordinator... 413 Request Entity Too Large: too large archive' in log
    )
    assert (desk.results[large.id].state, desk.results[large.id].failure_reason) == ("failed", "script_failure")


async def finished(config, desk, payload) -> str:
    await run(config, desk)
    return desk.log(payload)


async def test_what_cannot_be_fetched_fails_the_job_before_its_script(shells, source):
    payload = job(source, "echo never", after=["echo nor this"], artifacts=[keep("hello.txt", when="always")])
    payload.dependencies = [Dependency(7, "gone", "t", ArtifactsFile("a.zip")), Dependency(8, "none", "t")]
    desk = Counter(payload)
    log = await finished(shells, desk, payload)
    assert "Downloading artifacts from coordinator... not found" in log
    assert "Downloading artifacts for none" not in log
    assert "echo never" not in log and "nor this" not in log
    assert (desk.results[payload.id].failure_reason, desk.results[payload.id].exit_code) == ("script_failure", 1)
    assert desk.tries == 2 and "Uploading artifacts for failed job" in log


async def test_an_archive_that_means_harm_fails_the_job(config, source):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("../../../evil", "evil")
    payload = job(source, "echo never")
    payload.dependencies = [Dependency(7, "harm", "t", ArtifactsFile("a.zip"))]
    desk = Counter(payload)
    desk.kept[7, "archive"] = made.getvalue()
    log = await finished(config, desk, payload)
    assert "leads out of the project folder" in log and "echo never" not in log
    assert desk.results[payload.id].state == "failed"


async def test_a_cancelled_job_leaves_what_a_failed_one_would(shells, source):
    payload = job(
        source,
        "echo x > f",
        "echo started; sleep 60",
        after=["echo y > g"],
        artifacts=[keep("f", "g", when="on_failure")],
    )
    desk = Counter(payload)
    import asyncio

    running = asyncio.create_task(run(shells, desk))
    await desk.says(payload, "started\n")
    desk.order(payload).set_result("canceling")
    await running
    assert names(desk.kept[payload.id, "archive"]) == ["f", "g"]
    assert desk.results[payload.id].failure_reason == "job_canceled"


@pytest.mark.engine
async def test_files_of_other_users_are_kept_and_a_build_without_root_can_use_what_it_gets(pods, source):
    from shipline.protocol.payload import Image

    other = Image("shipline/debian", executor_opts={"kubernetes": {"user": "1234:1234"}})
    one = job(
        source,
        "id -u; mkdir out; echo private > out/f; chmod 600 out/f; chmod 700 out",
        image=other,
        artifacts=[keep("out")],
    )
    desk = Counter(one)
    log = await finished(pods, desk, one)
    assert "\n1234\n" in log and desk.results[one.id].state == "success", log
    assert zipfile.ZipFile(io.BytesIO(desk.kept[one.id, "archive"])).read("out/f") == b"private\n"
    two = job(source, "cat out/f", image="shipline/debian")
    two.dependencies = after(one)
    desk.waiting.append(two)
    await run(pods, desk, 2)
    assert "private\n" in desk.log(two), desk.log(two)
