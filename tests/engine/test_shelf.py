"""The files that jobs leave on this machine: kept, found by later jobs, and removed when their time is over."""

import gzip

import msgspec
import pytest
from tests.engine.examples import COMMIT, SHA, create, job

from shipline.engine.coordinator import EngineCoordinator
from shipline.engine.payload import Origin, make_payload
from shipline.engine.pipelines import Pipelines
from shipline.engine.records import PipelineRecord
from shipline.engine.shelf import LocalShelf, expiry, keeping
from shipline.engine.sqlite_store import SqliteStore
from shipline.protocol.coordinator import FileRefused, JobUpdate, Upload

ANY = frozenset({"kubernetes"})


class Side:
    """A coordinator with a shelf, and what a runner does with it."""

    def __init__(self, home) -> None:
        self.now = 1000.0
        self.home = home
        self.pipelines = Pipelines(SqliteStore(home), clock=lambda: self.now)
        self.shelf = LocalShelf(self.pipelines.store, home, clock=lambda: self.now)
        origin = Origin("file:///project", "group/app", "app")
        self.coordinator = EngineCoordinator(
            self.pipelines,
            lambda live, job: make_payload(live, job, origin, [], shelf=self.shelf),
            shelf=self.shelf,
        )

    async def take(self):
        return await self.coordinator.request_job(ANY, True)

    async def leave(self, payload, content: bytes, **fields) -> str:
        file = self.home / "upload"
        file.write_bytes(content)
        return await self.coordinator.upload_artifacts(payload, Upload(**({"filename": "a.zip"} | fields)), file)


@pytest.fixture
def side(tmp_path):
    return Side(tmp_path / "home")


def two_jobs(side, **artifacts):
    return create(side.pipelines, job("a", artifacts={"paths": ["x"], **artifacts}), job("b", "later"))


async def test_a_later_job_finds_what_an_earlier_one_left(side, tmp_path):
    two_jobs(side)
    a = await side.take()
    assert await side.leave(a, b"PK zip") == "201 Created"
    await side.coordinator.update_job(a, JobUpdate("success"))
    b = await side.take()
    [dependency] = b.dependencies
    assert (dependency.name, dependency.artifacts_file.filename, dependency.artifacts_file.size) == (
        "a",
        "a.zip",
        6,
    )
    assert await side.coordinator.download_artifacts(b, dependency, tmp_path / "down") == "200 OK"
    assert (tmp_path / "down").read_bytes() == b"PK zip"


async def test_dotenv_becomes_variables_of_later_jobs_over_their_own(side):
    from shipline.language.pipeline import Variable

    create(
        side.pipelines,
        job("a", artifacts={"reports": {"dotenv": ["x"]}}),
        job("b", "later", variables=[Variable("VERSION", "own")]),
    )
    a = await side.take()
    await side.leave(a, gzip.compress(b"VERSION=1.2\n"), artifact_type="dotenv", artifact_format="gzip")
    await side.coordinator.update_job(a, JobUpdate("success"))
    b = await side.take()
    assert {v.key: v.value for v in b.variables}["VERSION"] == "1.2"


async def test_a_dotenv_file_that_is_wrong_is_refused_and_nothing_is_kept(side):
    two_jobs(side)
    a = await side.take()
    with pytest.raises(FileRefused, match="Invalid Format"):
        await side.leave(a, gzip.compress(b"nonsense\n"), artifact_type="dotenv", artifact_format="gzip")
    assert side.shelf.of(a.id) is None


async def test_junit_is_summed_up_with_the_job(side):
    number = two_jobs(side)
    a = await side.take()
    xml = b'<testsuite><testcase name="t"><failure/></testcase></testsuite>'
    await side.leave(a, gzip.compress(xml), artifact_type="junit", artifact_format="gzip")
    [report] = side.pipelines.job(number, "a").reports
    assert (report.kind, report.failed, report.names) == ("junit", 1, ["t"])


async def test_what_has_expired_goes_but_never_of_the_latest_successful_pipeline(side):
    async def run() -> int:
        number = two_jobs(side)
        for _ in range(2):
            payload = await side.take()
            if payload.job_info.name == "a":
                await side.leave(payload, b"zip", expire_in="1 hour")
            await side.coordinator.update_job(payload, JobUpdate("success"))
        return number

    first = await run()
    side.now += 7200
    assert side.shelf.expire(side.pipelines, 1) == []
    second = await run()
    [gone] = side.shelf.expire(side.pipelines, 1)
    assert (gone.pipeline_id, gone.job) == (first, "a")
    assert not side.shelf.folder(int(gone.number)).exists()
    side.now += 7200
    assert side.shelf.expire(side.pipelines, 1) == []
    assert side.pipelines.job(second, "a").files_gone is False
    side.pipelines.retry(first, "b")
    assert side.coordinator.pipelines.job(first, "b").status == "pending"
    side.coordinator.close()
    for record in side.coordinator._pending():
        assert side.coordinator._give(record) is None
    failed = side.pipelines.job(first, "b")
    assert (failed.status, failed.failure_reason) == ("failed", "missing_dependency_failure")
    log = side.pipelines.store.read_trace(failed.id).decode()
    assert "This job could not start because it could not retrieve the needed artifacts: a" in log


def test_when_files_expire():
    assert expiry("1 hour", 1000) == 4600
    assert expiry("3 mins 4 sec", 1000) == 1184
    assert expiry("never", 1000) is None
    assert expiry("0", 1000) is None
    assert expiry(None, 1000) == 1000 + 30 * 86400
    with pytest.raises(FileRefused, match="no duration"):
        expiry("soon", 1000)


def test_of_each_ref_the_newest_success_and_what_came_since_is_kept():
    def record(number: int, ref: str, status: str) -> PipelineRecord:
        commit = msgspec.structs.replace(COMMIT, ref=ref)
        return PipelineRecord(number, number, 1, "push", commit, 0.0, status=status)

    listed = [
        record(6, "main", "running"),
        record(5, "dev", "failed"),
        record(4, "main", "success"),
        record(3, "main", "failed"),
        record(2, "dev", "success"),
        record(1, "dev", "success"),
    ]
    assert keeping(listed) == {6, 5, 4, 2}
    assert COMMIT.sha == SHA
