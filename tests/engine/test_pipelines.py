"""What happens to pipelines and their records: tries, times, retries, resources, processes that died."""

import msgspec
import pytest
from tests.engine.examples import create, job

from shipline.engine.errors import EngineError
from shipline.engine.memory_store import MemoryStore
from shipline.engine.pipelines import Pipelines
from shipline.engine.records import PipelineVariable
from shipline.engine.retries import tried_again
from shipline.language.pipeline import Need


def statuses(pipelines: Pipelines, number: int) -> dict[str, str]:
    return {record.name: record.status for record in pipelines.store.jobs(number)}


def run(pipelines: Pipelines, number: int, name: str, status: str = "success", **result) -> None:
    record = pipelines.job(number, name)
    assert pipelines.started(record, "a runner")
    pipelines.finished(pipelines.job(number, name), status, **result)


def test_a_job_goes_through_its_states_with_their_times(pipelines):
    number = create(pipelines, job("build", "build"), job("test"))
    assert statuses(pipelines, number) == {"build": "pending", "test": "created"}
    pipelines.clock.now = 1001.0
    assert pipelines.started(pipelines.job(number, "build"), "a runner")
    pipelines.clock.now = 1003.5
    pipelines.finished(pipelines.job(number, "build"), "success")
    build = pipelines.store.jobs(number)[0]
    assert (build.queued_at, build.started_at, build.finished_at, build.duration) == (1000.0, 1001.0, 1003.5, 2.5)
    assert build.runner == "a runner"
    run(pipelines, number, "test", "failed", failure_reason="script_failure", exit_code=3)
    record = pipelines.store.pipeline(number)
    assert (record.status, record.stages) == ("failed", {"build": "success", "test": "failed"})
    assert (record.started_at, record.finished_at) == (1001.0, 1003.5)
    test = pipelines.job(number, "test")
    assert (test.failure_reason, test.exit_code) == ("script_failure", 3)


def test_a_job_is_given_to_one_runner_only(pipelines):
    number = create(pipelines, job("test"))
    record = pipelines.job(number, "test")
    assert pipelines.started(record, "first")
    assert not pipelines.started(record, "second")


def test_a_failure_is_tried_again_for_the_reasons_given(pipelines):
    number = create(pipelines, job("test", retry={"max": 2, "when": ["runner_system_failure"]}))
    run(pipelines, number, "test", "failed", failure_reason="runner_system_failure")
    assert statuses(pipelines, number) == {"test": "pending"}
    assert pipelines.job(number, "test").attempt == 2
    run(pipelines, number, "test", "failed", failure_reason="script_failure", exit_code=1)
    assert statuses(pipelines, number) == {"test": "failed"}
    tries = pipelines.store.jobs(number, all_tries=True)
    assert [(t.attempt, t.failure_reason) for t in tries] == [(1, "runner_system_failure"), (2, "script_failure")]


@pytest.mark.parametrize(
    ("when", "reason", "again"),
    [
        ("stuck_or_timeout_failure", "no_updates_running", True),
        ("stuck_or_timeout_failure", "stuck_pending_no_matching_runners", True),
        ("stuck_or_timeout_failure", "server_timeout_running", False),
        ("job_execution_timeout", "server_timeout_canceling", True),
        ("job_execution_timeout", "job_execution_timeout", True),
        ("server_timeout_running", "job_execution_timeout", False),
    ],
)
def test_older_reasons_stand_for_the_failures_that_took_their_place(when, reason, again):
    assert tried_again({"max": 1, "when": [when]}, 1, reason, None) == again


def test_what_another_try_would_meet_again_is_not_tried_again(pipelines):
    number = create(pipelines, job("test", retry={"max": 2, "when": ["always"]}))
    run(pipelines, number, "test", "failed", failure_reason="missing_dependency_failure")
    assert statuses(pipelines, number) == {"test": "failed"}


def test_a_failure_is_tried_again_for_exit_codes(pipelines):
    number = create(pipelines, job("test", retry={"max": 1, "exit_codes": [75]}))
    run(pipelines, number, "test", "failed", failure_reason="script_failure", exit_code=75)
    assert statuses(pipelines, number) == {"test": "pending"}
    run(pipelines, number, "test", "failed", failure_reason="script_failure", exit_code=75)
    assert statuses(pipelines, number) == {"test": "failed"}


def test_a_retried_job_keeps_what_follows_waiting(pipelines):
    number = create(pipelines, job("build", "build", retry={"max": 1}), job("clean", "clean", when="on_failure"))
    run(pipelines, number, "build", "failed")
    assert statuses(pipelines, number) == {"build": "pending", "clean": "created"}


def test_allowed_exit_codes(pipelines):
    number = create(pipelines, job("lint", "lint", allow_failure_exit_codes=[42]), job("test"))
    run(pipelines, number, "lint", "failed", exit_code=42)
    assert statuses(pipelines, number) == {"lint": "failed", "test": "pending"}
    assert pipelines.job(number, "lint").allow_failure
    other = create(pipelines, job("lint", "lint", allow_failure_exit_codes=[42]), job("test"))
    run(pipelines, other, "lint", "failed", exit_code=1)
    assert statuses(pipelines, other) == {"lint": "failed", "test": "skipped"}


def test_a_manual_job_is_played_with_variables(pipelines):
    number = create(pipelines, job("deploy", when="manual", allow_failure=True))
    assert pipelines.store.pipeline(number).status == "skipped"
    pipelines.play(number, "deploy", [PipelineVariable("TARGET", "staging")])
    assert pipelines.job(number, "deploy").variables == [PipelineVariable("TARGET", "staging")]
    assert statuses(pipelines, number) == {"deploy": "pending"}
    with pytest.raises(EngineError, match="Job 'deploy' is pending"):
        pipelines.play(number, "deploy")
    with pytest.raises(EngineError, match=r"has no job 'deplyo'\. Did you mean 'deploy'"):
        pipelines.play(number, "deplyo")


def test_a_delayed_job_starts_when_its_time_has_come(pipelines):
    number = create(pipelines, job("later", when="delayed", start_in=60))
    assert statuses(pipelines, number) == {"later": "scheduled"}
    pipelines.clock.now += 20
    assert pipelines.tick() == 40
    pipelines.clock.now += 40
    assert pipelines.tick() is None
    assert statuses(pipelines, number) == {"later": "pending"}


def test_jobs_of_a_resource_group_run_one_at_a_time(pipelines):
    first = create(pipelines, job("one", resource_group="production"), job("two", resource_group="production"))
    second = create(pipelines, job("three", resource_group="production"))
    assert statuses(pipelines, first) == {"one": "pending", "two": "waiting_for_resource"}
    assert statuses(pipelines, second) == {"three": "waiting_for_resource"}
    run(pipelines, first, "one")
    assert statuses(pipelines, first)["two"] == "pending"
    run(pipelines, first, "two")
    pipelines.tick()
    assert statuses(pipelines, second) == {"three": "pending"}


def test_cancelling_lets_the_runner_let_go(pipelines):
    number = create(pipelines, job("build", "build"), job("other", "build"), job("test"))
    pipelines.started(pipelines.job(number, "build"), "a runner")
    pipelines.cancel(number)
    assert statuses(pipelines, number) == {"build": "canceling", "other": "canceled", "test": "canceled"}
    pipelines.finished(pipelines.job(number, "build"), "failed", "job_canceled")
    assert statuses(pipelines, number)["build"] == "canceled"
    assert pipelines.store.pipeline(number).status == "canceled"


def test_one_failure_cancels_the_rest_where_the_pipeline_says_so(pipelines):
    number = create(pipelines, job("one"), job("two"), auto_cancel={"on_job_failure": "all"})
    pipelines.started(pipelines.job(number, "two"), "a runner")
    run(pipelines, number, "one", "failed")
    assert statuses(pipelines, number) == {"one": "failed", "two": "canceling"}


def test_a_pipeline_is_retried(pipelines):
    number = create(pipelines, job("build", "build"), job("test"))
    run(pipelines, number, "build", "failed")
    assert pipelines.retry_failed(number) == ["build"]
    assert statuses(pipelines, number) == {"test": "created", "build": "pending"}
    run(pipelines, number, "build")
    run(pipelines, number, "test")
    assert pipelines.store.pipeline(number).status == "success"
    again = pipelines.retry(number, "test")
    assert (again.attempt, again.status) == (2, "pending")


def test_a_pipeline_belongs_to_one_living_process(pipelines):
    number = create(pipelines, job("test"))
    assert not pipelines.release(number), "a job is pending"
    run(pipelines, number, "test")
    assert pipelines.release(number)
    assert pipelines.adopt(number)
    live = pipelines.live(number)
    pipelines.store.save(msgspec.structs.replace(live.record, process="dead"), [])
    assert Pipelines(pipelines.store).adopt(number)


def test_what_a_dead_process_left_is_settled(pipelines):
    number = create(pipelines, job("build", "build"), job("other", "build"), job("clean", "clean", when="always"))
    pipelines.started(pipelines.job(number, "build"), "a runner")
    pipelines.store.save(msgspec.structs.replace(pipelines.live(number).record, process="dead"), [])
    ((record, jobs),) = Pipelines(pipelines.store).settle()
    assert record.id == number and record.process is None
    assert [(j.name, j.status, j.failure_reason) for j in jobs] == [
        ("build", "failed", "runner_interrupted"),
        ("other", "canceled", None),
    ]
    assert statuses(pipelines, number)["clean"] in ("canceled", "skipped")
    assert Pipelines(pipelines.store).settle() == []


def test_listeners_hear_of_each_change_once_it_is_stored(pipelines):
    heard = []
    pipelines.listeners.append(lambda record, jobs: heard.append([(job.name, job.status) for job in jobs]))
    number = create(pipelines, job("one"), job("two", needs=[Need("one")]))
    run(pipelines, number, "one")
    assert heard == [[("one", "pending")], [("one", "running")], [("one", "success"), ("two", "pending")]]


def test_a_change_by_another_process_is_noticed(tmp_path):
    from shipline.engine.sqlite_store import SqliteStore

    mine, other = Pipelines(SqliteStore(tmp_path)), Pipelines(SqliteStore(tmp_path))
    number = create(mine, job("deploy", when="manual"))
    heard = []
    mine.listeners.append(lambda record, jobs: heard.extend((j.name, j.status) for j in jobs))
    other.play(number, "deploy")
    assert not other.adopt(number), "its process lives"
    assert mine.job(number, "deploy").status == "pending"
    assert heard == [("deploy", "pending")]
    mine.store.close()
    assert other.adopt(number)
    other.store.close()


def test_an_event_that_makes_no_sense_changes_nothing(pipelines):
    number = create(pipelines, job("test"))
    with pytest.raises(EngineError, match="Job 'test' is pending"):
        pipelines.retry(number, "test")
    assert statuses(pipelines, number) == {"test": "pending"}


def test_the_memory_store_is_a_store_like_any_other():
    pipelines = Pipelines(MemoryStore())
    number = create(pipelines, job("test"))
    run(pipelines, number, "test")
    assert pipelines.live(number).record.status == "success"


def test_settled_pipelines_need_no_memory():
    pipelines = Pipelines(MemoryStore())
    waiting = create(pipelines, job("later", when="manual"))
    running = create(pipelines, job("now"))
    pipelines.forget_settled()
    assert list(pipelines._live) == [running]
    assert pipelines.play(waiting, "later").status == "pending"
