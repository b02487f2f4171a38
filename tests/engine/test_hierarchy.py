"""Parents and children: what a downstream pipeline does to the trigger job above it, and what is done to both."""

import asyncio

import msgspec
import pytest
from tests.engine.examples import COMMIT, create, job

from shipline.engine.bridges import Asked, pending, start
from shipline.engine.errors import EngineError, Refusal
from shipline.engine.hierarchy import ancestors, family
from shipline.engine.job_variables import Facts
from shipline.engine.memory_store import MemoryStore
from shipline.engine.pipelines import Pipelines
from shipline.engine.records import PipelineVariable, ProjectVariable
from shipline.language import LanguageError
from shipline.language.findings import refuse
from shipline.language.pipeline import Need, Pipeline, Variable
from shipline.language.values import Place


class World:
    """Makes pipelines of given jobs; those of other projects for the paths that it knows."""

    def __init__(self, pipelines: Pipelines, *jobs, others=()) -> None:
        self.pipelines = pipelines
        self.jobs = list(jobs)
        self.others = others
        self.asked: list[Asked] = []
        self.fault: Exception | None = None

    def facts(self, live):
        return Facts([], "", "")

    def project(self, asked):
        if asked.project not in self.others:
            raise Refusal("downstream_bridge_project_not_found", f"there is no {asked.project}")
        return self.pipelines.store.project(asked.project).id

    async def make_child(self, asked):
        self._make(asked, "/project", "parent_pipeline")

    async def make_other(self, asked):
        self._make(asked, asked.project, "pipeline")

    def mirrored(self, live, job, project):
        return self.pipelines.store.pipelines(self.pipelines.store.project(project).id)[0].id

    def _make(self, asked, path, source):
        self.asked.append(asked)
        if self.fault:
            raise self.fault
        stages = list(dict.fromkeys(each.stage for each in self.jobs))
        placed = [msgspec.structs.replace(each, stage_index=stages.index(each.stage)) for each in self.jobs]
        project = self.pipelines.store.project(path)
        compiled = Pipeline(stages=stages, jobs=placed)
        self.pipelines.create(project, COMMIT, compiled, source, asked.variables, upstream=asked.bridge)


def trigger(name="child", stage="test", strategy=None, project=None, **settings):
    asks = {"project": project} if project else {"include": "child.yml"}
    return job(name, stage, trigger=asks | ({"strategy": strategy} if strategy else {}), **settings)


def go(pipelines, world, number) -> int:
    """Starts the pipeline's pending bridges; gives the number of the newest pipeline."""
    for record in pending(pipelines.live(number)):
        asyncio.run(start(pipelines, record, world))
    return pipelines.store.jobs(number)[-1].downstream or 0


def statuses(pipelines, number) -> dict[str, str]:
    return {record.name: record.status for record in pipelines.store.jobs(number)}


def run(pipelines, number, name, status="success", **result) -> None:
    assert pipelines.started(pipelines.job(number, name), "a runner")
    pipelines.finished(pipelines.job(number, name), status, **result)


@pytest.fixture
def pipelines(store):
    return Pipelines(store)


@pytest.fixture
def world(pipelines):
    return World(pipelines, job("unit"))


def made(pipelines, world, *jobs, **settings) -> tuple[int, int]:
    """A parent whose trigger job `child` has made its child; gives both numbers."""
    number = create(pipelines, *jobs, **settings)
    go(pipelines, world, number)
    return number, pipelines.job(number, "child").downstream


def test_without_a_strategy_the_trigger_job_is_done_when_its_pipeline_is_there(pipelines, world):
    number, child = made(pipelines, world, trigger())
    assert statuses(pipelines, number) == {"child": "success"}
    assert statuses(pipelines, child) == {"unit": "pending"}
    record = pipelines.store.pipeline(child)
    assert (record.source, record.upstream.pipeline_id) == ("parent_pipeline", number)
    assert record.upstream.job_id == pipelines.job(number, "child").id
    run(pipelines, child, "unit", "failed")
    assert pipelines.store.pipeline(number).status == "success"


@pytest.mark.parametrize(
    ("strategy", "ends", "bridge"),
    [
        ("depend", "success", "success"),
        ("depend", "failed", "failed"),
        ("depend", "canceled", "canceled"),
        ("depend", "skipped", "failed"),
        ("depend", "manual", "running"),
        ("depend", "scheduled", "running"),
        ("mirror", "success", "success"),
        ("mirror", "failed", "failed"),
        ("mirror", "canceled", "canceled"),
        ("mirror", "skipped", "skipped"),
        ("mirror", "manual", "manual"),
        ("mirror", "scheduled", "scheduled"),
    ],
)
def test_a_strategy_takes_over_how_the_pipeline_ends(pipelines, world, strategy, ends, bridge):
    if ends in ("skipped", "manual"):
        world.jobs = [job("unit", when="manual", allow_failure=ends == "skipped")]
    elif ends == "scheduled":
        world.jobs = [job("unit", when="delayed", start_in=60)]
    number, child = made(pipelines, world, trigger(strategy=strategy))
    if ends == "canceled":
        pipelines.cancel(child)
    elif ends in ("success", "failed"):
        assert statuses(pipelines, number) == {"child": "running"}
        run(pipelines, child, "unit", ends)
    assert pipelines.store.pipeline(child).status == ends
    assert statuses(pipelines, number) == {"child": bridge}


def test_a_manual_job_of_the_child_is_shown_above_until_somebody_plays_it(pipelines, world):
    world.jobs = [job("ask", when="manual")]
    number, child = made(pipelines, world, trigger(strategy="mirror"), job("after", "later"))
    assert pipelines.store.pipeline(number).status == "manual"
    with pytest.raises(EngineError, match=f"waits for its pipeline {child}"):
        pipelines.play(number, "child")
    pipelines.play(child, "ask")
    assert statuses(pipelines, number) == {"child": "running", "after": "created"}
    run(pipelines, child, "ask")
    assert statuses(pipelines, number) == {"child": "success", "after": "pending"}


def test_a_delayed_job_of_the_child_is_shown_above_until_it_is_due(pipelines, world):
    world.jobs = [job("later", when="delayed", start_in=60)]
    number, child = made(pipelines, world, trigger(strategy="mirror"), job("after", "later"))
    assert pipelines.store.pipeline(number).status == "scheduled"
    assert pipelines.job(number, "child").scheduled_at is None
    assert 0 < pipelines.tick() <= 60 and not pipelines.live(number).busy()
    with pytest.raises(EngineError, match=f"waits for its pipeline {child}"):
        pipelines.play(number, "child")
    pipelines.play(child, "later")
    assert statuses(pipelines, number) == {"child": "running", "after": "created"}
    run(pipelines, child, "later")
    assert statuses(pipelines, number) == {"child": "success", "after": "pending"}


def test_what_comes_after_waits_for_the_child(pipelines, world):
    number, child = made(pipelines, world, trigger(strategy="depend"), job("after", "later"))
    assert statuses(pipelines, number)["after"] == "created"
    run(pipelines, child, "unit", "failed")
    assert statuses(pipelines, number) == {"child": "failed", "after": "skipped"}


def test_a_retry_in_the_child_sets_the_parents_running_again(pipelines, world):
    world.jobs = [trigger("grandchild", strategy="depend")]
    number, child = made(pipelines, world, trigger(strategy="depend"), job("after", "later"))
    world.jobs = [job("unit")]
    grandchild = go(pipelines, world, child)
    run(pipelines, grandchild, "unit", "failed")
    assert statuses(pipelines, number) == {"child": "failed", "after": "skipped"}
    pipelines.retry(grandchild, "unit")
    assert statuses(pipelines, child) == {"grandchild": "running"}
    assert statuses(pipelines, number) == {"child": "running", "after": "created"}
    assert pipelines.store.pipeline(number).status == "running"
    run(pipelines, grandchild, "unit")
    assert statuses(pipelines, number) == {"child": "success", "after": "pending"}


def test_a_retry_of_the_trigger_job_makes_a_new_pipeline(pipelines, world):
    number, first = made(pipelines, world, trigger(strategy="depend"))
    run(pipelines, first, "unit", "failed")
    pipelines.retry(number, "child")
    second = go(pipelines, world, number)
    assert second not in (0, first)
    run(pipelines, second, "unit")
    assert pipelines.store.pipeline(number).status == "success"
    pipelines.retry(first, "unit")
    assert statuses(pipelines, number) == {"child": "success"}
    assert family(pipelines, second) == [number, first, second]


def test_a_retry_of_the_parents_failed_jobs_goes_on_in_the_child(pipelines, world):
    world.jobs = [job("unit"), job("lint")]
    number, child = made(pipelines, world, trigger(strategy="depend"))
    run(pipelines, child, "unit", "failed")
    run(pipelines, child, "lint")
    assert pipelines.retry_failed(number) == ["child"]
    assert statuses(pipelines, child) == {"lint": "success", "unit": "pending"}
    assert statuses(pipelines, number) == {"child": "running"}


def test_cancelling_the_parent_cancels_its_children(pipelines, world):
    world.jobs = [trigger("grandchild"), job("unit")]
    number, child = made(pipelines, world, trigger(), job("slow"))
    assert pipelines.started(pipelines.job(child, "unit"), "a runner")
    world.jobs = [job("unit")]
    go(pipelines, world, child)
    grandchild = pipelines.job(child, "grandchild").downstream
    pipelines.cancel(number)
    assert statuses(pipelines, number) == {"child": "success", "slow": "canceled"}
    assert statuses(pipelines, child) == {"grandchild": "success", "unit": "canceling"}
    assert statuses(pipelines, grandchild) == {"unit": "canceled"}


def test_cancelling_a_trigger_job_cancels_its_child(pipelines, world):
    number, child = made(pipelines, world, trigger(strategy="depend"), job("other"))
    pipelines.cancel(number, "child")
    assert statuses(pipelines, number) == {"child": "canceled", "other": "pending"}
    assert statuses(pipelines, child) == {"unit": "canceled"}


def test_a_pipeline_of_another_project_goes_on_when_the_first_is_cancelled(pipelines, world):
    world.others = ["/other"]
    number, other = made(pipelines, world, trigger(strategy="depend", project="/other"))
    assert pipelines.store.pipeline(other).source == "pipeline"
    pipelines.cancel(number)
    assert statuses(pipelines, number) == {"child": "canceled"}
    assert statuses(pipelines, other) == {"unit": "pending"}
    run(pipelines, other, "unit")
    assert statuses(pipelines, number) == {"child": "canceled"}


def test_a_failure_that_cancels_all_cancels_the_children(pipelines, world):
    number, child = made(
        pipelines, world, trigger(strategy="depend"), job("test"), auto_cancel={"on_job_failure": "all"}
    )
    run(pipelines, number, "test", "failed")
    assert statuses(pipelines, number) == {"child": "canceled", "test": "failed"}
    assert statuses(pipelines, child) == {"unit": "canceled"}


def test_a_failed_child_cancels_all_too(pipelines, world):
    number, child = made(
        pipelines, world, trigger(strategy="depend"), job("test"), auto_cancel={"on_job_failure": "all"}
    )
    run(pipelines, child, "unit", "failed")
    assert statuses(pipelines, number) == {"child": "failed", "test": "canceled"}


def test_a_trigger_job_that_may_fail(pipelines, world):
    number, child = made(pipelines, world, trigger(strategy="depend", allow_failure=True), job("after", "later"))
    run(pipelines, child, "unit", "failed")
    assert statuses(pipelines, number) == {"child": "failed", "after": "pending"}


def newer(pipelines) -> int:
    """A pipeline for the next commit of the branch."""
    commit = msgspec.structs.replace(COMMIT, sha="f" * 40)
    project = pipelines.store.project("/project")
    return pipelines.create(project, commit, Pipeline(stages=["test"], jobs=[job("test")])).id


def test_a_newer_commit_cancels_older_children(pipelines, world):
    world.jobs = [job("unit", interruptible=True)]
    number, child = made(pipelines, world, trigger(strategy="depend"), job("test", interruptible=True))
    newer(pipelines)
    assert statuses(pipelines, number) == {"child": "canceled", "test": "canceled"}
    assert statuses(pipelines, child) == {"unit": "canceled"}


def test_a_late_child_of_an_older_commit_cancels_nothing(pipelines, world):
    number = create(pipelines, trigger(), job("holds"))
    assert pipelines.started(pipelines.job(number, "holds"), "a runner")
    late = newer(pipelines)
    assert go(pipelines, world, number) == 0
    assert pipelines.job(number, "child").downstream > late
    assert statuses(pipelines, late) == {"test": "pending"}


def test_children_nest_two_deep(pipelines, world):
    world.jobs = [trigger()]
    number, child = made(pipelines, world, trigger())
    grandchild = go(pipelines, world, child)
    assert go(pipelines, world, grandchild) == 0
    refused = pipelines.job(grandchild, "child")
    assert (refused.status, refused.failure_reason) == ("failed", "reached_max_descendant_pipelines_depth")
    assert "nested 2 deep" in pipelines.store.read_trace(refused.id).decode()
    assert [record.id for record in ancestors(pipelines, grandchild)] == [grandchild, child, number]
    with pytest.raises(EngineError, match="cannot be retried"):
        pipelines.retry(grandchild, "child")
    assert pipelines.retry_failed(grandchild) == []


def test_a_hierarchy_has_a_limit(pipelines, world, monkeypatch):
    monkeypatch.setattr("shipline.engine.bridges.MAX_HIERARCHY", 3)
    number = create(pipelines, *[trigger(f"child {n}") for n in range(3)])
    go(pipelines, world, number)
    reasons = {record.name: record.failure_reason for record in pipelines.store.jobs(number)}
    assert reasons == {"child 0": None, "child 1": None, "child 2": "reached_max_pipeline_hierarchy_size"}


def test_projects_that_trigger_each_other_in_a_circle(pipelines):
    world = World(pipelines, others=["/project", "/other"])
    number = create(pipelines, trigger(project="/other"))
    reason = None
    for round in range(12):
        world.jobs = [trigger(project="/project" if round % 2 == 0 else "/other")]
        following = go(pipelines, world, number)
        if not following:
            reason = pipelines.job(number, "child").failure_reason
            break
        number = following
    assert reason == "pipeline_loop_detected"
    assert len(ancestors(pipelines, number)) == 6


def test_another_project_that_is_this_one_or_is_not_there(pipelines):
    world = World(pipelines, others=["/project"])
    number = create(pipelines, trigger("own", project="/project"), trigger("none", project="/none"))
    go(pipelines, world, number)
    reasons = {record.name: record.failure_reason for record in pipelines.store.jobs(number)}
    assert reasons == {"own": "invalid_bridge_trigger", "none": "downstream_bridge_project_not_found"}


def test_a_wrong_configuration_is_told_in_the_trigger_jobs_log(pipelines, world):
    world.fault = LanguageError(refuse("jobs:unit script can't be blank", Place("child.yml", 3, 5)).findings)
    number = create(pipelines, trigger(places={"trigger": Place(".gitlab-ci.yml", 7, 3)}))
    go(pipelines, world, number)
    failed = pipelines.job(number, "child")
    assert (failed.status, failed.failure_reason) == ("failed", "downstream_pipeline_creation_failed")
    log = pipelines.store.read_trace(failed.id).decode()
    assert "child.yml:3:5: jobs:unit script can't be blank" in log
    assert ".gitlab-ci.yml:7" in log


def test_a_trigger_job_that_was_cancelled_while_its_pipeline_was_compiled_gets_none(pipelines):
    class Slow(World):
        async def make_child(self, asked):
            self.pipelines.cancel(asked.parent.id)
            await super().make_child(asked)

    world = Slow(pipelines, job("unit"))
    number = create(pipelines, trigger())
    go(pipelines, world, number)
    assert statuses(pipelines, number) == {"child": "canceled"}
    assert len(pipelines.store.pipelines(pipelines.store.project("/project").id)) == 1


def test_what_is_handed_on(pipelines, world):
    written = [
        Variable("CI_PIPELINE_SOURCE", "push", "predefined"),
        Variable("TOP", "from the top", "global"),
        Variable("PARENT", "$CI_PIPELINE_ID of $CI_JOB_ID", "job"),
        Variable("OWN", "$TOP", "job"),
        Variable("RAW", "$TOP", "job", raw=True),
    ]
    number = create(pipelines, trigger(variables=written))
    go(pipelines, world, number)
    assert world.asked[0].variables == [
        PipelineVariable("TOP", "from the top"),
        PipelineVariable("PARENT", f"{number} of "),
        PipelineVariable("OWN", "from the top"),
        PipelineVariable("RAW", "$TOP", raw=True),
    ]


def test_what_is_handed_on_is_expanded_once_and_files_come_along(pipelines, world):
    written = [
        Variable("KIND", "of $CI_PROJECT_ID", "job"),
        Variable("BOTH", "$CI_PIPELINE_ID $KIND $SETTINGS $NOBODY", "job"),
    ]
    number = create(pipelines, trigger(variables=written))
    world.facts = lambda live: Facts([ProjectVariable("SETTINGS", "the text", kind="file")], "", "")
    go(pipelines, world, number)
    assert {v.key: (v.value, v.file) for v in world.asked[0].variables} == {
        "KIND": ("of ", False),
        "BOTH": (f"{number} of $CI_PROJECT_ID $SETTINGS ", False),
        "SETTINGS": ("the text", True),
    }


@pytest.mark.parametrize(
    ("forward", "keys"),
    [
        ({}, ["TOP"]),
        ({"yaml_variables": False}, []),
        ({"pipeline_variables": True}, ["TOP", "GIVEN"]),
        ({"yaml_variables": False, "pipeline_variables": True}, ["GIVEN"]),
    ],
)
def test_what_forward_says(pipelines, world, forward, keys):
    bridge = trigger(variables=[Variable("TOP", "1", "global")])
    bridge.trigger["forward"] = forward
    project = pipelines.store.project("/project")
    given = [PipelineVariable("GIVEN", "2")]
    number = pipelines.create(project, COMMIT, Pipeline(stages=["test"], jobs=[bridge]), variables=given).id
    go(pipelines, world, number)
    assert [variable.key for variable in world.asked[0].variables] == keys


def test_a_bridge_mirrors_the_newest_pipeline_of_another_project(pipelines, world):
    project = pipelines.store.project("/upstream")
    above = pipelines.create(project, COMMIT, Pipeline(stages=["test"], jobs=[job("test")])).id
    mirror = job("mirror", needs=[Need("", pipeline="/upstream")])
    number = create(pipelines, mirror, job("after", "later"))
    go(pipelines, world, number)
    assert statuses(pipelines, number) == {"mirror": "running", "after": "created"}
    assert not pipelines.release(number)
    run(pipelines, above, "test")
    pipelines.release(number)
    assert statuses(pipelines, number) == {"mirror": "success", "after": "pending"}


def test_a_mirror_of_a_pipeline_that_is_deleted_is_canceled(pipelines, world, monkeypatch):
    project = pipelines.store.project("/upstream")
    above = pipelines.create(project, COMMIT, Pipeline(stages=["test"], jobs=[job("test")])).id
    number = create(pipelines, job("mirror", needs=[Need("", pipeline="/upstream")]))
    go(pipelines, world, number)
    known = pipelines.store.pipeline
    monkeypatch.setattr(pipelines.store, "pipeline", lambda n: None if n == above else known(n))
    pipelines.release(number)
    assert statuses(pipelines, number) == {"mirror": "canceled"}


def test_a_process_that_runs_a_pipeline_runs_all_that_belongs_to_it(pipelines, world):
    world.jobs = [job("ask", when="manual")]
    number, child = made(pipelines, world, trigger(strategy="depend"))
    assert pipelines.release(number)
    assert pipelines.owned == set()
    assert pipelines.adopt(child)
    assert pipelines.owned == {number, child}
    pipelines.play(child, "ask")
    assert not pipelines.release(number)
    run(pipelines, child, "ask")
    assert pipelines.release(child)
    assert pipelines.store.pipeline(number).status == "success"


def test_a_parent_settles_with_its_children(tmp_path):
    from shipline.engine.sqlite_store import SqliteStore

    died = Pipelines(SqliteStore(tmp_path))
    world = World(died, job("unit"), job("lint"))
    number, child = made(died, world, trigger(strategy="depend"), job("slow"), job("after", "later"))
    assert died.started(died.job(child, "unit"), "a runner")
    died.store.close()
    pipelines = Pipelines(SqliteStore(tmp_path))
    settled = pipelines.settle()
    assert [record.id for record, _ in settled] == [number, child]
    assert statuses(pipelines, child) == {"unit": "failed", "lint": "canceled"}
    assert statuses(pipelines, number) == {"child": "failed", "slow": "canceled", "after": "skipped"}
    assert pipelines.job(child, "unit").failure_reason == "runner_interrupted"
    assert pipelines.settle() == []
    pipelines.store.close()


def test_a_claimed_trigger_job_without_a_pipeline_settles_as_interrupted(tmp_path):
    from shipline.engine.sqlite_store import SqliteStore

    died = Pipelines(SqliteStore(tmp_path))
    number = create(died, trigger())
    assert died.started(died.job(number, "child"), None)
    died.store.close()
    pipelines = Pipelines(SqliteStore(tmp_path))
    pipelines.settle()
    assert pipelines.job(number, "child").failure_reason == "runner_interrupted"
    pipelines.retry(number, "child")
    assert statuses(pipelines, number) == {"child": "pending"}
    pipelines.store.close()


def test_trigger_jobs_are_for_no_runner():
    pipelines = Pipelines(MemoryStore())
    create(pipelines, trigger(), job("test"))
    from shipline.engine.coordinator import EngineCoordinator

    coordinator = EngineCoordinator(pipelines, lambda live, job: job)
    assert [record.name for record in coordinator._pending()] == ["test"]
