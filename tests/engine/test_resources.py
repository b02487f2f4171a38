"""Resource groups: which of the jobs that want a resource gets it, by process mode, over several pipelines."""

import pytest
from tests.engine.examples import create, job

from shipline.engine.memory_store import MemoryStore
from shipline.engine.pipelines import Pipelines
from shipline.engine.resources import set_mode, upcoming


@pytest.fixture
def pipelines():
    return Pipelines(MemoryStore())


def grouped(pipelines, count, mode, *earlier):
    """Pipelines with a job `deploy` of the group `production`; the numbers."""
    set_mode(pipelines.store, pipelines.store.project("/project").id, "production", mode, 0.0)
    deploy = job("deploy", "deploy", resource_group="production")
    return [create(pipelines, *(earlier if number in (0, count - 1) else ()), deploy) for number in range(count)]


def waiting(pipelines, numbers):
    return [pipelines.job(number, "deploy").status for number in numbers]


def done(pipelines, number, name="deploy"):
    pipelines.started(pipelines.job(number, name), "tests")
    pipelines.finished(pipelines.job(number, name), "success")
    pipelines.tick()


@pytest.mark.parametrize(
    ("mode", "order"),
    [
        ("unordered", {1, 2, 3}),
        ("oldest_first", [0, 1, 2, 3]),
        ("newest_ready_first", [0, 3, 2, 1]),
        ("newest_first", [0, 3, 2, 1]),
    ],
)
def test_the_first_comes_at_once_and_then_the_mode_decides(pipelines, mode, order):
    numbers = grouped(pipelines, 4, mode)
    assert waiting(pipelines, numbers) == ["pending", *["waiting_for_resource"] * 3]
    ran = []
    for _ in numbers:
        (holder,) = [n for n in numbers if pipelines.job(n, "deploy").status == "pending"]
        ran.append(numbers.index(holder))
        done(pipelines, holder)
    assert ran == order if isinstance(order, list) else (ran[0] == 0 and set(ran[1:]) == order)


def test_oldest_first_waits_for_an_older_pipeline_that_has_not_come_so_far(pipelines):
    first, second, third = grouped(pipelines, 3, "oldest_first", job("build", "build"))
    assert waiting(pipelines, [first, second, third]) == ["created", "waiting_for_resource", "created"]
    done(pipelines, first, "build")
    assert waiting(pipelines, [first, second, third]) == ["pending", "waiting_for_resource", "created"]
    done(pipelines, first)
    assert waiting(pipelines, [second, third]) == ["pending", "created"]


def test_newest_first_waits_for_a_newer_one_that_has_not_come_so_far(pipelines):
    first, second, third = grouped(pipelines, 3, "newest_first", job("build", "build"))
    pipelines.tick()
    assert waiting(pipelines, [first, second, third]) == ["created", "pending", "created"]
    done(pipelines, first, "build")
    done(pipelines, second)
    assert waiting(pipelines, [first, second, third]) == ["waiting_for_resource", "success", "created"]
    project = pipelines.store.project("/project").id
    assert [each.pipeline_id for each in upcoming(pipelines.store, project, "production")] == [third, first]
    done(pipelines, third, "build")
    assert waiting(pipelines, [first, third]) == ["waiting_for_resource", "pending"]


def test_newest_ready_first_waits_for_nobody(pipelines):
    first, second, third = grouped(pipelines, 3, "newest_ready_first", job("build", "build"))
    assert waiting(pipelines, [first, second, third]) == ["created", "pending", "created"]
    done(pipelines, first, "build")
    done(pipelines, second)
    assert waiting(pipelines, [first, third]) == ["pending", "created"]
