"""Shipline's own runner serves the server: `shipline runner` as a process, jobs in this machine's shell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import Running, until

SHIPLINE = [sys.executable, "-c", "from shipline.cli import main; raise SystemExit(main())"]
PIPELINE = """\
build-job:
  tags: [kubernetes]
  script:
    - cat README.md
    - echo "of $CI_PROJECT_PATH by $GITLAB_USER_LOGIN"
    - echo "token $CI_JOB_TOKEN"
  after_script: [echo after]
slow-job:
  stage: deploy
  tags: [kubernetes]
  script: [echo started, sleep 60]
  after_script: [echo cleaned up]
"""


def shipline(config: Path, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [*SHIPLINE, *words, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


@pytest.fixture
def config(server: Running, project: Any, tmp_path: Path) -> Path:
    """A config.toml with a runner of this test's project."""
    path = tmp_path / "config.toml"
    made = server.runner(kind="project_type", projects=[project.id], tags=["kubernetes"])
    words = ("runner", "register", "--url", server.url, "--name", "here", "--executor", "shell")
    done = shipline(path, *words, input=f"{made.token}\n")
    assert done.returncode == 0 and not done.stderr, done.stderr
    return path


def test_a_job_runs_from_push_to_log_and_a_cancel_ends_one(server, project, repository, config):
    assert config.stat().st_mode & 0o777 == 0o600
    assert "is known" in shipline(config, "runner", "verify").stdout
    repository.commit({".gitlab-ci.yml": PIPELINE})
    repository.push()
    record = server.inside(lambda i: i.store.pipelines(project.id)[0])
    job = lambda name: server.inside(lambda i: i.pipelines.job(record.id, name))  # noqa: E731
    log = lambda name: server.inside(lambda i: i.store.read_trace(i.pipelines.job(record.id, name).id)).decode()  # noqa: E731
    command = [*SHIPLINE, "runner", "run", "--config", str(config)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: job("build-job").status in ("success", "failed"), 40)
        assert job("build-job").status == "success", log("build-job")
        shown = log("build-job")
        assert "hello" in shown and f"of {project.full_path} by root" in shown and "after" in shown
        assert "token [MASKED]" in shown
        until(lambda: "started" in log("slow-job"), 20)
        server.inside(lambda i: i.pipelines.cancel(record.id))
        until(lambda: job("slow-job").status == "canceled", 20)
        assert "cleaned up" in log("slow-job")
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0
    finally:
        running.kill()
        running.wait()
    assert shipline(config, "runner", "unregister", "here").returncode == 0
    assert "[[runners]]" not in config.read_text()


def test_a_token_that_the_server_does_not_know_is_refused(server, tmp_path):
    words = ("runner", "register", "--url", server.url, "--executor", "shell")
    done = shipline(tmp_path / "config.toml", *words, env=os.environ | {"CI_SERVER_TOKEN": "glrt-nobody"})
    assert done.returncode == 3 and "does not know this token" in done.stderr
    assert not (tmp_path / "config.toml").exists()


FAMILY = """\
stages: [build, test]
make:
  stage: build
  tags: [kubernetes]
  script: ["mkdir made", "cp child.txt made/child.yml"]
  artifacts: {paths: [made]}
child:
  stage: test
  variables: {PARENT: $CI_PIPELINE_ID}
  trigger: {include: [{artifact: made/child.yml, job: make}], strategy: depend}
"""
MADE = """\
use:
  tags: [kubernetes]
  needs: [{pipeline: $PARENT, job: make}]
  script: [head -1 made/child.yml, echo "for $CI_PIPELINE_SOURCE"]
"""


def test_a_child_made_by_a_job_gets_its_files(server, project, repository, config):
    repository.commit({".gitlab-ci.yml": FAMILY, "child.txt": MADE})
    repository.push()
    record = server.inside(lambda i: i.store.pipelines(project.id)[0])
    running = subprocess.Popen(
        [*SHIPLINE, "runner", "run", "--config", str(config)], stderr=subprocess.PIPE, text=True
    )
    try:
        until(lambda: server.inside(lambda i: i.store.pipeline(record.id)).status in ("success", "failed"), 40)
        newest = server.inside(lambda i: i.store.pipelines(project.id)[0])
        assert newest.upstream.pipeline_id == record.id
        log = server.inside(lambda i: i.store.read_trace(i.pipelines.job(newest.id, "use").id)).decode()
        assert "use:\n" in log and "for parent_pipeline" in log
        assert server.inside(lambda i: i.store.pipeline(record.id)).status == "success"
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(20)


def test_a_server_s_jobs_find_what_earlier_ones_left(server, project, repository, config, tmp_path):
    repository.commit(
        {
            ".gitlab-ci.yml": "job: {tags: [kubernetes], script: ['cat kept || echo 1 > kept'], "
            "cache: {key: {files: [README.md]}, paths: [kept]}}\n"
        }
    )

    def pushed() -> str:
        """The log of the job, once it has ended."""
        repository.push("origin", "HEAD:main")
        record = server.inside(lambda i: i.store.pipelines(project.id)[0])
        job = lambda: server.inside(lambda i: i.pipelines.job(record.id, "job"))  # noqa: E731
        until(lambda: job().status in ("success", "failed"), 40)
        number = job().id
        return server.inside(lambda i: i.store.read_trace(number)).decode()

    command = [*SHIPLINE, "runner", "run", "--config", str(config)]
    running = subprocess.Popen(command, env=os.environ | {"SHIPLINE_HOME": str(tmp_path / "state")})
    try:
        pushed()
        repository.commit({})
        log = pushed()
    finally:
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0
    assert "\n1\n" in log and "Successfully extracted cache" in log and "Archive is up to date!" in log
    (archive,) = (tmp_path / "state" / "cache").rglob("*.zip")
    assert archive.parent.name == str(project.id)
