"""A newer commit of a branch cancels what older pipelines still run, as far as they let it."""

import msgspec
import pytest
from tests.engine.examples import COMMIT, create, job

from shipline.engine.memory_store import MemoryStore
from shipline.engine.pipelines import Pipelines
from shipline.language.pipeline import Pipeline


@pytest.fixture
def pipelines():
    return Pipelines(MemoryStore())


def newer(pipelines, **commit):
    changed = msgspec.structs.replace(COMMIT, sha="b" * 40, **commit)
    pipelines.create(pipelines.store.project("/project"), changed, Pipeline(stages=["test"], jobs=[job("new")]))


def statuses(pipelines, number):
    return {record.name: record.status for record in pipelines.store.jobs(number)}


def test_what_has_not_started_is_cancelled(pipelines):
    number = create(pipelines, job("one"), job("two", "later"))
    newer(pipelines)
    assert statuses(pipelines, number) == {"one": "canceled", "two": "canceled"}


def test_a_started_job_that_is_not_interruptible_keeps_its_pipeline(pipelines):
    number = create(pipelines, job("one"), job("two", interruptible=True))
    pipelines.started(pipelines.job(number, "one"), "a runner")
    newer(pipelines)
    assert statuses(pipelines, number) == {"one": "running", "two": "pending"}


def test_a_pipeline_that_waits_for_a_time_is_redundant_too(pipelines):
    number = create(pipelines, job("one", when="delayed", start_in=3600), job("two", "later"))
    assert statuses(pipelines, number) == {"one": "scheduled", "two": "created"}
    newer(pipelines)
    assert statuses(pipelines, number) == {"one": "canceled", "two": "canceled"}


def test_a_pipeline_that_waits_for_a_person_is_left_alone(pipelines):
    manual = job("one", when="manual", allow_failure=False)
    number = create(pipelines, manual, job("two", "later"))
    newer(pipelines)
    assert statuses(pipelines, number) == {"one": "manual", "two": "created"}


def test_a_job_that_was_started_and_cancelled_keeps_nothing(pipelines):
    number = create(pipelines, job("one", allow_failure=True), job("two"))
    pipelines.started(pipelines.job(number, "one"), "a runner")
    pipelines.cancel(number, "one")
    pipelines.finished(pipelines.job(number, "one"), "failed")
    newer(pipelines)
    assert statuses(pipelines, number) == {"one": "canceled", "two": "canceled"}


def test_a_started_job_that_is_interruptible_is_cancelled(pipelines):
    number = create(pipelines, job("one", interruptible=True), job("two"))
    pipelines.started(pipelines.job(number, "one"), "a runner")
    newer(pipelines)
    assert statuses(pipelines, number) == {"one": "canceling", "two": "canceled"}


def test_the_pipeline_may_say_which(pipelines):
    number = create(
        pipelines, job("one"), job("two", interruptible=True), auto_cancel={"on_new_commit": "interruptible"}
    )
    pipelines.started(pipelines.job(number, "one"), "a runner")
    other = create(pipelines, job("one"), auto_cancel={"on_new_commit": "none"})
    newer(pipelines)
    assert statuses(pipelines, number) == {"one": "running", "two": "canceled"}
    assert statuses(pipelines, other) == {"one": "pending"}


def test_another_branch_and_a_tag_are_no_newer_commit(pipelines):
    number = create(pipelines, job("one"))
    newer(pipelines, ref="side")
    newer(pipelines, is_tag=True)
    assert statuses(pipelines, number) == {"one": "pending"}
