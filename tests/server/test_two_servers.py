"""Two server processes on one PostgreSQL and one home: what is to happen once happens once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from tests.server.conftest import Repository, Running, free_port, until
from tests.server.postgresql import new_database

from shipline.server import tables as t
from shipline.server.accounts import caller_of
from shipline.server.creation import Order, create_pipeline
from shipline.server.mirrors import update_due
from shipline.server.retention import clean
from shipline.server.schedules import run_due
from shipline.server.settings import Settings

PIPELINE = "one: {script: [a], interruptible: true}\ntwo: {script: [a], interruptible: true}\n"


@pytest.fixture
def servers(postgresql, tmp_path, monkeypatch) -> Iterator[list[Running]]:
    """Two that do nothing every now and then but when a test says so."""
    monkeypatch.setattr("shipline.server.tending.ROUND", 1e9)
    database = new_database(postgresql)
    running = [
        Running(Settings(home=tmp_path / "home", port=free_port(), database=database, long_poll=2.0))
        for _ in range(2)
    ]
    yield running
    for server in running:
        server.stop()


@pytest.fixture
def clone(servers, tmp_path) -> Repository:
    """Pushed to the first server; its remote `other` is the second."""
    made = Repository(tmp_path / "clone", servers[0].remote("root/app"))
    made.git("remote", "add", "other", servers[1].remote("root/app"))
    made.commit({".gitlab-ci.yml": PIPELINE})
    made.push()
    return made


def at_once(servers, work):
    """Starts the same in both servers, and waits until both have done it."""
    started = [
        server.inside(lambda instance: asyncio.run_coroutine_threadsafe(work(instance), instance.loop))
        for server in servers
    ]
    return [each.result(60) for each in started]


def pipelines(servers, **wanted):
    answer = servers[1].api("GET", "/projects/1/pipelines", params={"per_page": 100, **wanted})
    return [pipeline["id"] for pipeline in answer.json()]


def test_a_schedule_runs_once(servers, clone):
    values = {"description": "nightly", "ref": "main", "cron": "0 3 * * *"}
    assert servers[0].api("POST", "/projects/1/pipeline_schedules", json=values).status_code == 201
    for round_ in range(1, 4):
        due = sa.update(t.schedules).values(next_run_at=time.time() - 60)
        servers[0].inside(lambda instance, due=due: instance.database.execute(due))
        at_once(servers, run_due)
        until(lambda: pipelines(servers, source="schedule"))
        assert len(pipelines(servers, source="schedule")) == round_


def test_a_newer_commit_cancels_what_another_server_runs(servers, clone):
    agents = [server.runner() for server in servers]
    job = agents[0].job()
    clone.commit({"a": "1"})
    clone.push("other", "HEAD")
    newest, oldest = pipelines(servers)
    jobs = servers[0].api("GET", f"/projects/1/pipelines/{oldest}/jobs").json()
    assert {each["status"] for each in jobs} == {"canceling", "canceled"}
    assert agents[0].trace(job, 0, b"x").headers["Job-Status"] == "canceling"
    assert agents[0].update(job, "failed").status_code == 200
    assert servers[1].api("GET", f"/projects/1/pipelines/{oldest}").json()["status"] == "canceled"
    got = [agents[0].job()["id"], agents[1].job()["id"]]
    expected = servers[1].api("GET", f"/projects/1/pipelines/{newest}/jobs").json()
    assert sorted(got) == sorted(each["id"] for each in expected)


def test_a_pipelines_number_is_its_own(servers, clone):
    clone.commit({".gitlab-ci.yml": "workflow: {name: number $CI_PIPELINE_IID}\njob: {script: [a]}\n"})
    clone.push()

    async def three(instance):
        order = Order(instance.projects.by_id(1), "main", caller_of(instance.accounts.user(1)), "api")
        return [
            record.iid for record in await asyncio.gather(*(create_pipeline(instance, order) for _ in range(3)))
        ]

    numbers = [number for mine in at_once(servers, three) for number in mine]
    assert sorted(numbers) == [3, 4, 5, 6, 7, 8]
    made = servers[0].api("GET", "/projects/1/pipelines").json()
    assert {each["name"] for each in made if each["source"] == "api"} == {f"number {number}" for number in numbers}


def test_what_has_expired_and_what_is_old_goes_once(servers, clone):
    servers[0].api("PUT", "/projects/1", json={"keep_latest_artifact": False})
    agent = servers[0].runner()
    jobs = [agent.job(), agent.job()]
    for job, kept in zip(jobs, ("1 second", "never"), strict=True):
        answer = servers[1].call(
            "POST",
            f"/jobs/{job['id']}/artifacts",
            params={"expire_in": kept},
            headers={"JOB-TOKEN": job["token"]},
            files={"file": ("a.zip", b"x")},
        )
        assert answer.status_code == 201
        assert agent.update(job, "failed").status_code == 200
    past = sa.update(t.artifacts).where(t.artifacts.c.expire_at.is_not(None)).values(expire_at=1.0)
    servers[0].inside(lambda instance: instance.database.execute(past))

    async def expire(instance):
        return instance.artifacts.expire()

    at_once(servers, expire)
    left = servers[0].inside(lambda i: [row.job_id for row in i.database.all(sa.select(t.artifacts.c.job_id))])
    assert left == [jobs[1]["id"]]
    servers[0].api("PUT", "/projects/1", json={"ci_delete_pipelines_in_seconds": 86400})
    at_once(servers, lambda instance: clean(instance, time.time() + 2 * 86400))
    assert pipelines(servers) == []


def test_a_mirror_is_looked_at_once(servers, clone):
    made = servers[0].api("POST", "/projects", json={"name": "mirror"}).json()
    address = f"{servers[0].url}/root/app.git"
    values = {"url": address, "enabled": True, "auth_user": "root", "auth_password": servers[0].token}
    assert servers[0].api("PUT", f"/projects/{made['id']}/mirror/pull", json=values).status_code == 200
    mirror = f"/projects/{made['id']}/mirror/pull"
    until(lambda: servers[1].api("GET", mirror).json()["update_status"] == "finished")
    clone.commit({"b": "1"})
    clone.push()
    old = sa.update(t.mirrors).values(started_at=1.0)
    servers[0].inside(lambda instance: instance.database.execute(old))

    async def due(instance):
        update_due(instance)
        return len(instance.mirror_updates)

    assert sum(at_once(servers, due)) == 1
    listed = f"/projects/{made['id']}/pipelines"
    until(lambda: len(servers[1].api("GET", listed).json()) == 2)
