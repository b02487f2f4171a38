"""Files from job to job through the server, with Shipline's own runner as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.server.conftest import until

SHIPLINE = [sys.executable, "-c", "from shipline.cli import main; raise SystemExit(main())"]
PIPELINE = """\
stages: [build, test]
build:
  stage: build
  tags: [kubernetes]
  script:
    - mkdir out; head -c 3000000 /dev/urandom > out/data; cksum < out/data > sum; echo "VERSION=1.2" > build.env
    - echo '<testsuite><testcase name="t"/></testsuite>' > j.xml
  artifacts:
    paths: [out, sum]
    reports: {dotenv: build.env, junit: j.xml}
bad:
  stage: build
  tags: [kubernetes]
  allow_failure: true
  script: [echo nonsense > x.env]
  artifacts: {reports: {dotenv: x.env}}
test:
  stage: test
  tags: [kubernetes]
  script: ['[ "$(cksum < out/data)" = "$(cat sum)" ]', 'echo "version=$VERSION"']
"""


def test_files_go_from_job_to_job(server, project, repository, tmp_path):
    path = tmp_path / "config.toml"
    made = server.runner(kind="project_type", projects=[project.id], tags=["kubernetes"])
    words = [
        "runner",
        "register",
        "--url",
        server.url,
        "--name",
        "here",
        "--executor",
        "shell",
        "--config",
        str(path),
    ]
    registered = subprocess.run(
        [*SHIPLINE, *words], env=os.environ | {"CI_SERVER_TOKEN": made.token}, capture_output=True, timeout=60
    )
    assert registered.returncode == 0, registered.stderr
    repository.commit({".gitlab-ci.yml": PIPELINE})
    repository.push()
    record = server.inside(lambda i: i.store.pipelines(project.id)[0])

    def job(name):
        return server.inside(lambda i: i.pipelines.job(record.id, name))

    def log(name):
        return server.inside(lambda i: i.store.read_trace(i.pipelines.job(record.id, name).id)).decode()

    running = subprocess.Popen(
        [*SHIPLINE, "runner", "run", "--config", str(path)], stderr=subprocess.PIPE, text=True
    )
    try:
        until(lambda: job("test").status in ("success", "failed", "skipped"), 60)
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(20)
    assert job("test").status == "success", log("build") + log("test")
    assert "version=1.2" in log("test")
    assert "Downloading artifacts from coordinator... ok" in log("test")
    assert job("build").reports[0].total == 1
    assert job("bad").status == "failed"
    assert 'Uploading artifacts as "dotenv" to coordinator... 400 Bad Request: Invalid Format' in log("bad")
