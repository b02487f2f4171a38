"""What is past its time goes, and what nobody knows; and nothing is asked of all that has ever been."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

from tests.server.conftest import Repository, Running, free_port

from shipline.server.retention import YOUNG, clean
from shipline.server.settings import Settings
from shipline.server.tending import give_up_on_silent_runners

DAY = 86400.0


def started(tmp_path: Path, **settings: Any) -> Running:
    server = Running(Settings(home=tmp_path / "home", port=free_port(), **settings))
    clone = Repository(tmp_path / "clone", server.remote("root/app"))
    clone.commit({".gitlab-ci.yml": "one:\n  script: [echo one]\n"})
    clone.push()
    return server


def cleaned(server: Running, now: float) -> None:
    instance = server.serving.instance
    assert instance is not None
    asyncio.run_coroutine_threadsafe(clean(instance, now), instance.loop).result(30)


def test_old_pipelines_go_with_what_is_theirs(tmp_path):
    server = started(tmp_path, keep_pipelines=30 * DAY)
    agent = server.runner()
    job = agent.job()
    agent.trace(job, 0, b"text")
    cleaned(server, time.time() + 40 * DAY)
    assert server.api("GET", "/projects/1/pipelines/1").status_code == 200, "it still runs"
    agent.update(job, "success")
    cleaned(server, time.time() + 10 * DAY)
    assert server.api("GET", "/projects/1/pipelines/1").status_code == 200, "it is young"
    cleaned(server, time.time() + 40 * DAY)
    assert server.api("GET", "/projects/1/pipelines/1").status_code == 404
    assert not list((tmp_path / "home" / "traces").glob("*/*"))
    server.stop()


def test_a_project_may_keep_its_pipelines_for_less(tmp_path):
    server = started(tmp_path)
    agent = server.runner()
    agent.update(agent.job(), "success")
    server.api("PUT", "/projects/1", json={"ci_delete_pipelines_in_seconds": int(DAY)})
    cleaned(server, time.time() + 2 * DAY)
    assert server.api("GET", "/projects/1/pipelines").json() == []
    server.stop()


def test_logs_may_go_before_their_pipelines(tmp_path):
    server = started(tmp_path, keep_logs=DAY)
    agent = server.runner()
    job = agent.job()
    agent.trace(job, 0, b"text")
    agent.update(job, "success")
    cleaned(server, time.time() + 2 * DAY)
    assert server.api("GET", f"/projects/1/jobs/{job['id']}/trace").content == b""
    assert server.api("GET", f"/projects/1/jobs/{job['id']}").status_code == 200
    server.stop()


def test_files_that_nobody_knows_go_when_they_are_old(tmp_path):
    server = started(tmp_path)
    home = tmp_path / "home"
    unknown = [home / "traces" / "0" / "999", home / "artifacts" / "0" / "998", home / "repositories" / "997.git"]
    unknown.append(home / "uploads" / "1" / "996")
    kept = server.api("POST", "/projects/1/uploads", files={"file": ("a.txt", b"a")}).json()
    for path in unknown:
        path.parent.mkdir(exist_ok=True)
        path.mkdir() if path.suffix else path.write_bytes(b"x")
    cleaned(server, time.time())
    assert all(path.exists() for path in unknown), "they may belong to what is being written"
    for path in [*unknown, *(home / "uploads" / "1").iterdir()]:
        os.utime(path, (time.time() - 2 * YOUNG,) * 2)
    cleaned(server, time.time())
    assert not any(path.exists() for path in unknown)
    assert (home / "repositories" / "1.git").exists()
    assert server.api("GET", f"/projects/1{kept['url']}").content == b"a"
    server.stop()


def test_no_question_is_asked_of_all_that_has_ever_been(tmp_path):
    """SQLite says of each statement whether it walks through a whole table."""
    server = started(tmp_path)
    agent = server.runner()
    statements: set[str] = set()
    driver = server.inside(lambda instance: instance.database._driver)
    server.inside(lambda instance: driver.set_trace_callback(statements.add))
    job = agent.job()
    agent.trace(job, 0, b"text")
    agent.update(job, "success")
    assert agent.request().status_code == 204
    for path in (
        "/projects/1/pipelines",
        "/projects/1/pipelines?ref=main&status=success",
        "/projects/1/pipelines/latest",
        "/projects/1/jobs",
        "/projects/1/pipelines/1/jobs",
        "/projects/1/deployments?environment=x",
        "/projects/1/environments",
    ):
        assert server.api("GET", path).status_code == 200
    server.api("POST", "/projects/1/pipeline", json={"ref": "main"})
    server.inside(give_up_on_silent_runners)
    server.inside(lambda instance: driver.set_trace_callback(None))
    history = re.compile(r"SCAN (pipelines|jobs|assignments|deployments|artifacts|audit)\b(?! USING)")

    def plan(instance: Any, text: str) -> str:
        return " ".join(row[3] for row in driver.execute(f"explain query plan {text}"))

    questions = [text for text in statements if text.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE"))]
    assert len(questions) > 30
    walks = {
        text: found for text in questions if history.search(found := server.inside(lambda i, q=text: plan(i, q)))
    }
    assert not walks
    server.stop()


def test_a_duty_that_fails_holds_up_no_other(tmp_path, monkeypatch):
    done = threading.Event()

    def fails(instance):
        raise RuntimeError("nobody foresaw it")

    async def follows(instance):
        done.set()

    monkeypatch.setattr("shipline.server.tending.ROUND", 0.0)
    monkeypatch.setattr("shipline.server.tending.DUTIES", (fails, follows))
    server = Running(Settings(home=tmp_path / "home", port=free_port()))
    try:
        assert done.wait(30)
    finally:
        server.stop()
