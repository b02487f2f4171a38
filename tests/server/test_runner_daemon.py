"""`shipline runner run` as a service: its file changes while it works, and it tells how it fares."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.server.conftest import until
from tests.server.test_runner import SHIPLINE, shipline

PIPELINE = """\
one:
  tags: [first]
  script: [echo of one]
two:
  tags: [second]
  script: [echo of two, exit 3]
"""


@contextmanager
def service(config: Path, log: Path) -> Iterator[Callable[[str], str]]:
    """The service; gives what asks it, by path, and ends it gracefully."""
    command = [*SHIPLINE, "runner", "run", "--listen-address", "127.0.0.1:0", "--config", str(config)]
    with log.open("w") as file:
        running = subprocess.Popen(command, stderr=file)

    def ask(path: str) -> str:
        found = re.search(r"at port (\d+)", log.read_text())
        assert found is not None
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{found[1]}{path}", timeout=10).read().decode()
        except urllib.error.HTTPError as error:
            return f"{error.code} {error.read().decode()}"

    try:
        until(lambda: "Serving" in log.read_text(), 20)
        yield ask
        running.send_signal(signal.SIGQUIT)
        assert running.wait(20) == 0, log.read_text()
    finally:
        running.kill()
        running.wait()


@pytest.fixture
def register(server, project, tmp_path) -> Callable[[str], None]:
    """Adds a runner with that tag, called like it, to the config.toml."""

    def registered(tag: str) -> None:
        made = server.runner(kind="project_type", projects=[project.id], tags=[tag])
        words = ("runner", "register", "--url", server.url, "--name", tag, "--executor", "shell")
        done = shipline(tmp_path / "config.toml", *words, env=os.environ | {"CI_SERVER_TOKEN": made.token})
        assert done.returncode == 0, done.stderr

    return registered


def test_a_runner_is_added_while_another_works_and_both_share_one_place(
    server, project, repository, register, tmp_path
):
    config, log = tmp_path / "config.toml", tmp_path / "log"
    config.write_text("concurrent = 1\ncheck_interval = 1\n")
    register("first")
    repository.commit({".gitlab-ci.yml": PIPELINE})
    with service(config, log) as ask:
        repository.push()
        record = server.inside(lambda i: i.store.pipelines(project.id)[0])
        job = lambda name: server.inside(lambda i: i.pipelines.job(record.id, name))  # noqa: E731
        until(lambda: job("one").status == "success", 20)
        assert job("two").status == "pending"
        register("second")
        until(lambda: job("two").status == "failed", 20)
        assert ask("/healthz") == "ok\n"
        failed = 'gitlab_runner_failed_jobs_total{failure_reason="script_failure",runner="second"} 1.0'
        until(lambda: failed in ask("/metrics"), 10)
        metrics = ask("/metrics")
    assert 'gitlab_runner_jobs_total{runner="first"} 1.0' in metrics
    assert 'gitlab_runner_jobs{runner="second"} 0.0' in metrics
    assert "gitlab_runner_concurrent 1.0" in metrics
    assert 'endpoint="request_job",runner="first",status="201"} 1.0' in metrics


def test_a_wrong_file_is_told_and_changes_nothing(server, project, register, tmp_path):
    config, log = tmp_path / "config.toml", tmp_path / "log"
    register("first")
    right = config.read_text()
    with service(config, log) as ask:
        config.write_text(right + "concurrent = [")
        until(lambda: "not valid TOML" in log.read_text(), 20)
        assert "The runners go on as they were." in log.read_text()
        assert ask("/healthz") == "ok\n"
        assert "gitlab_runner_configuration_loading_error_total 1.0" in ask("/metrics")
        config.write_text(right.replace("concurrent = 4", "concurrent = 2"))
        until(lambda: "2 jobs at a time" in log.read_text(), 20)


def test_a_runner_that_its_server_forgets_is_not_healthy_and_the_other_goes_on(server, project, register, tmp_path):
    config, log = tmp_path / "config.toml", tmp_path / "log"
    register("first")
    config.write_text(
        f"concurrent = 1\ncheck_interval = 1\n{config.read_text().partition(chr(10))[2]}\n"
        f'[[runners]]\nname = "gone"\nurl = "{server.url}"\ntoken = "glrt-nobody"\nexecutor = "shell"\n'
    )
    with service(config, log) as ask:
        until(lambda: "The runner gone" in log.read_text(), 20)
        assert ask("/healthz") == f"503 no answer for gone at {server.url}\n"
