"""How long a pipeline ran: the union of its jobs' times, without any waiting."""

import pytest
from tests.engine.examples import COMMIT, create, job

from shipline.engine.pipelines import Pipelines
from shipline.engine.running_time import running_time, together
from shipline.language.pipeline import Pipeline


def run(pipelines: Pipelines, number: int, name: str, start: float, end: float, status: str = "success") -> None:
    pipelines.clock.now = start
    assert pipelines.started(pipelines.job(number, name), "a runner")
    pipelines.clock.now = end
    pipelines.finished(pipelines.job(number, name), status)


def duration(pipelines: Pipelines, number: int) -> float | None:
    return running_time(pipelines.store, pipelines.store.pipeline(number))


@pytest.mark.parametrize(
    "periods, length",
    [
        ([], 0),
        ([(1, 3), (2, 4), (6, 7)], 4),
        ([(3, 4), (0, 10), (5, 6)], 10),
        ([(8, 9), (2, 6), (0, 4), (5, 7)], 8),
        ([(0, 1), (1, 2), (4, 5)], 3),
    ],
)
def test_times_that_overlap_count_once(periods, length):
    assert together(periods) == length


def test_waiting_for_a_person_is_no_running(pipelines):
    number = create(pipelines, job("build", "build"), job("deploy", "deploy", when="manual", allow_failure=False))
    assert duration(pipelines, number) is None
    run(pipelines, number, "build", 1010, 1013)
    assert pipelines.store.pipeline(number).status == "manual"
    assert duration(pipelines, number) == 3
    pipelines.clock.now = 5000
    pipelines.play(number, "deploy")
    assert duration(pipelines, number) is None  # it is under way
    run(pipelines, number, "deploy", 5001, 5006)
    assert duration(pipelines, number) == 8


def test_a_try_that_was_replaced_does_not_count(pipelines):
    number = create(pipelines, job("test", retry={"max": 1}))
    run(pipelines, number, "test", 1000, 1100, "failed")
    run(pipelines, number, "test", 1200, 1202)
    assert duration(pipelines, number) == 2


def test_a_pipeline_without_a_run_has_no_duration(pipelines):
    number = create(pipelines, job("test"))
    pipelines.cancel(number)
    assert pipelines.store.pipeline(number).status == "canceled"
    assert duration(pipelines, number) is None


def test_what_it_triggered_counts_and_the_trigger_job_does_not(pipelines):
    number = create(pipelines, job("build", "build"), job("child", "deploy", trigger={"strategy": "depend"}))
    run(pipelines, number, "build", 1000, 1003)
    bridge = pipelines.job(number, "child")
    pipelines.clock.now = 1004
    assert pipelines.started(bridge, "")
    project = pipelines.store.project("/project")
    compiled = Pipeline(stages=["test"], jobs=[job("test")])
    below = pipelines.create(project, COMMIT, compiled, "parent_pipeline", upstream=bridge).id
    run(pipelines, below, "test", 1050, 1055)
    assert pipelines.store.pipeline(number).status == "success"
    assert duration(pipelines, number) == 8
