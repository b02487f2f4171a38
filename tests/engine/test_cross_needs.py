"""Files of jobs in other pipelines: which jobs are meant, and what is missing."""

import pytest
from tests.engine.examples import COMMIT, create, job
from tests.engine.test_hierarchy import World, go, run, trigger

from shipline.engine.cross_needs import has_any, needed
from shipline.engine.errors import Refusal
from shipline.engine.pipelines import Pipelines
from shipline.language.pipeline import Need, Pipeline


@pytest.fixture
def pipelines(store):
    return Pipelines(store)


def of_child(pipelines, need, values):
    """What the job of a child pipeline gets."""
    world = World(pipelines, job("use", needs=[need]))
    number = create(pipelines, job("make", "build"), trigger())
    run(pipelines, number, "make")
    child = go(pipelines, world, number)
    live = pipelines.live(child)
    assert has_any(live, "use") == need.artifacts
    values = {"PARENT": str(number), "OWN": str(child)} | values
    return [found.name for found in needed(pipelines, live, "use", values, lambda path: 0)]


@pytest.mark.parametrize(
    ("need", "names"),
    [
        (Need("make", pipeline="$PARENT"), ["make"]),
        (Need("make", pipeline="$PARENT", artifacts=False), []),
        (Need("other", pipeline="$PARENT", optional=True), []),
        (Need("make", pipeline="$OTHER", optional=True), []),
    ],
)
def test_a_job_of_the_parent(pipelines, need, names):
    assert of_child(pipelines, need, {"OTHER": "999"}) == names


@pytest.mark.parametrize(
    ("need", "told"),
    [
        (Need("other", pipeline="$PARENT"), "has no job 'other' that succeeded"),
        (Need("make", pipeline="$OTHER"), "'999' is no pipeline of its hierarchy"),
        (Need("make", pipeline="$UNKNOWN"), r"'\$UNKNOWN' is no pipeline"),
    ],
)
def test_what_is_not_there(pipelines, need, told):
    with pytest.raises(Refusal, match=told) as refused:
        of_child(pipelines, need, {"OTHER": "999"})
    assert refused.value.reason == "missing_dependency_failure"


def test_the_newest_job_of_a_project_that_succeeded(pipelines):
    other = pipelines.store.project("/other")
    numbers = [pipelines.create(other, COMMIT, Pipeline(stages=["test"], jobs=[job("make")])).id for _ in range(3)]
    for number, status in zip(numbers, ("success", "success", "failed"), strict=True):
        run(pipelines, number, "make", status)
    own = create(pipelines, job("use", needs=[Need("make", project="group/$NAME", ref="main")]))
    live = pipelines.live(own)
    asked = []

    def find(path: str) -> int:
        asked.append(path)
        return other.id

    assert [found.pipeline_id for found in needed(pipelines, live, "use", {"NAME": "other"}, find)] == [numbers[1]]
    assert asked == ["group/other"]
    own = create(pipelines, job("use", needs=[Need("make", project="group/other", ref="next")]))
    with pytest.raises(Refusal, match="project 'group/other' at 'next' has no job 'make' that succeeded"):
        needed(pipelines, pipelines.live(own), "use", {}, find)
