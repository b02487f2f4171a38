"""The coordinator in this process: who gets which job, and what a runner is told."""

import asyncio

import pytest
from tests.engine.examples import create, job

from shipline.engine.coordinator import EngineCoordinator
from shipline.engine.deployments import current
from shipline.engine.errors import EngineError
from shipline.engine.memory_store import MemoryStore
from shipline.engine.payload import Origin, make_payload
from shipline.engine.pipelines import Pipelines
from shipline.language.pipeline import Variable
from shipline.protocol.coordinator import Answer, JobUpdate

ANY = frozenset({"kubernetes"})


@pytest.fixture
def pipelines():
    return Pipelines(MemoryStore())


def coordinator(pipelines: Pipelines, **settings) -> EngineCoordinator:
    origin = Origin("file:///project", "group/app", "app")
    return EngineCoordinator(pipelines, lambda live, job: make_payload(live, job, origin, []), **settings)


async def test_jobs_come_in_order_and_each_once(pipelines):
    create(pipelines, job("one"), job("two"), job("three", "later"))
    side = coordinator(pipelines)
    first, second = await side.request_job(ANY, True), await side.request_job(ANY, True)
    assert [first.job_info.name, second.job_info.name] == ["one", "two"]
    waiting = asyncio.create_task(side.request_job(ANY, True))
    await side.update_job(first, JobUpdate("success"))
    assert not waiting.done()
    await side.update_job(second, JobUpdate("success"))
    assert (await waiting).job_info.name == "three"


async def test_tags_must_all_be_the_runner_s(pipelines):
    create(pipelines, job("tagged", tags=["kubernetes", "big"]), job("plain"))
    side = coordinator(pipelines)
    assert (await side.request_job(ANY, True)).job_info.name == "plain"
    assert (await side.request_job(ANY | {"big"}, False)).job_info.name == "tagged"


async def test_a_job_that_no_runner_takes_fails_and_says_so(pipelines):
    number = create(pipelines, job("tagged", tags=["gpu"]), job("plain"))
    side = coordinator(pipelines)
    side.fail_unmatched([(ANY, True)])
    assert pipelines.job(number, "tagged").failure_reason == "no_matching_runner"
    assert b"none has its tags: gpu" in pipelines.store.read_trace(1)
    assert pipelines.job(number, "plain").status == "pending"


async def test_no_more_are_out_than_allowed(pipelines):
    create(pipelines, job("one"), job("two"))
    side = coordinator(pipelines, at_most=1)
    first = await side.request_job(ANY, True)
    waiting = asyncio.create_task(side.request_job(ANY, True))
    await asyncio.sleep(0)
    assert not waiting.done()
    await side.update_job(first, JobUpdate("failed", "script_failure", 1))
    assert (await waiting).job_info.name == "two"


async def test_closing_answers_who_waits(pipelines):
    side = coordinator(pipelines)
    waiting = asyncio.create_task(side.request_job(ANY, True))
    await asyncio.sleep(0)
    side.close()
    assert await waiting is None
    assert await side.request_job(ANY, True) is None


async def test_the_log_is_stored_and_heard_of(pipelines):
    create(pipelines, job("one"))
    heard = []
    side = coordinator(pipelines, on_trace=lambda job, offset, data: heard.append((job.name, offset, data)))
    given = await side.request_job(ANY, True)
    assert (await side.append_trace(given, 0, b"hello\n")).trace_offset == 6
    assert (await side.append_trace(given, 9, b"gap")).trace_offset == 6
    assert (await side.append_trace(given, 6, b"more")).trace_offset == 10
    assert pipelines.store.read_trace(given.id) == b"hello\nmore"
    assert heard == [("one", 0, b"hello\n"), ("one", 6, b"more")]


async def test_a_cancel_is_pushed(pipelines):
    number = create(pipelines, job("one"))
    side = coordinator(pipelines)
    given = await side.request_job(ANY, True)
    told = asyncio.create_task(side.wait_canceled(given))
    await asyncio.sleep(0)
    pipelines.cancel(number)
    assert await told == "canceling"
    assert (await side.append_trace(given, 0, b"x")).job_status == "canceling"
    assert (await side.update_job(given, JobUpdate("failed", "job_canceled"))).job_status == "canceled"
    assert pipelines.job(number, "one").status == "canceled"


async def test_a_job_that_cannot_be_made_ready_fails_with_the_reason(pipelines):
    number = create(pipelines, job("one"))

    def refuse(live, job):
        raise EngineError("the repository has gone")

    side = EngineCoordinator(pipelines, refuse)
    waiting = asyncio.create_task(side.request_job(ANY, True))
    await asyncio.sleep(0)
    assert pipelines.job(number, "one").status == "failed"
    assert b"the repository has gone" in pipelines.store.read_trace(1)
    side.close()
    assert await waiting is None


async def test_a_deployment_is_recorded_with_its_url_and_how_it_ended(pipelines):
    told = {"CI_ENVIRONMENT_NAME": "production", "CI_ENVIRONMENT_URL": "https://$CI_JOB_NAME.eu"}
    variables = [Variable(key, value, "predefined") for key, value in told.items()]
    create(pipelines, job("one", environment={"name": "production"}, variables=variables))
    side = coordinator(pipelines)
    given = await side.request_job(ANY, True)
    store = pipelines.store
    (deployment,) = store.deployments(store.project("/project").id)
    assert (deployment.environment, deployment.status, deployment.job_id) == ("production", "running", given.id)
    await side.update_job(given, JobUpdate("success"))
    (deployment,) = current(store.deployments(store.project("/project").id))
    assert (deployment.status, deployment.url) == ("success", "https://one.eu")


@pytest.mark.parametrize("name", ["review/$NOWHERE", "$NOWHERE", "review/$TITLE"])
async def test_a_job_fails_whose_environment_would_have_no_proper_name(pipelines, name):
    told = {"CI_ENVIRONMENT_NAME": name, "TITLE": "a#b"}
    variables = [Variable(key, value, "predefined") for key, value in told.items()]
    number = create(pipelines, job("one", environment={"name": name}, variables=variables, retry={"max": 2}))
    waiting = asyncio.create_task((side := coordinator(pipelines)).request_job(ANY, True))
    await asyncio.sleep(0)
    record = pipelines.job(number, "one")
    assert (record.status, record.failure_reason) == ("failed", "environment_creation_failure")
    assert b"cannot start or end with '/'" in pipelines.store.read_trace(record.id)
    assert not pipelines.store.deployments(pipelines.store.project("/project").id)
    side.close()
    assert await waiting is None


async def test_an_unknown_variable_in_an_environment_s_name_is_nothing(pipelines):
    variables = [Variable("CI_ENVIRONMENT_NAME", "a-$NOWHERE", "predefined")]
    create(pipelines, job("one", environment={"name": "a-$NOWHERE"}, variables=variables))
    given = await coordinator(pipelines).request_job(ANY, True)
    values = {variable.key: variable.value for variable in given.variables}
    assert (values["CI_ENVIRONMENT_NAME"], values["CI_ENVIRONMENT_SLUG"]) == ("a-", "a")
    (deployment,) = pipelines.store.deployments(pipelines.store.project("/project").id)
    assert deployment.environment == "a-"


async def test_coverage_is_read_from_the_log(pipelines):
    number = create(pipelines, job("one", extra={"coverage": r"TOTAL (\d+)%"}))
    side = coordinator(pipelines)
    given = await side.request_job(ANY, True)
    await side.append_trace(given, 0, b"TOTAL 87%\n")
    await side.update_job(given, JobUpdate("success"))
    assert pipelines.job(number, "one").coverage == 87.0


async def test_a_store_that_is_full_is_not_written_to_again(pipelines, monkeypatch):
    """Whoever sends a log must not send it for ever."""
    create(pipelines, job("one"))
    side = coordinator(pipelines)
    payload = await side.request_job(ANY, True)

    def full(job_id: int, offset: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pipelines.store, "write_trace", full)
    assert await side.append_trace(payload, 0, b"first") == Answer("canceled", 5)
    monkeypatch.undo()
    assert await side.append_trace(payload, 5, b"second") == Answer("canceled", 11)
    assert isinstance(side.failure, OSError) and pipelines.store.read_trace(payload.id) == b""
