"""What works after `shipline run` has gone: play, retry, status, logs, cancel, and after a sudden death."""

import json
import os
import random
import signal
import subprocess
import time

import pytest
from tests.cli.conftest import SHIPLINE

MANUAL = """
stages: [build, deploy, after]
build: {stage: build, script: [echo built]}
deploy: {stage: deploy, when: manual, script: ['echo "deploying to ${TARGET:-nowhere}"']}
after: {stage: after, script: [echo after], needs: [deploy]}
"""


@pytest.fixture
def nap() -> str:
    """A command that no other test, nor another run of the tests, has: `sleep 9x.xxxxxx`."""
    return f"sleep {90 + random.random() * 9:.6f}"


def goes_on(command: str) -> bool:
    return subprocess.run(["pgrep", "-f", command], check=False).returncode == 0


def started(shell, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [SHIPLINE, *arguments],
        cwd=shell.directory,
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_line(process: subprocess.Popen, wanted: str) -> None:
    for line in process.stdout:
        if wanted in line:
            return
    raise AssertionError(f"{wanted!r} never came")


def test_a_manual_job_is_played_later_with_its_dependants(repository):
    repository.commit(ci=MANUAL)
    repository.shipline("run")
    text = repository.shipline("play", "deploy", "--variable", "TARGET=staging")
    assert "deploy | deploying to staging" in text and "after  | after" in text
    assert "Job 'deploy' is success: only a job that waits" in repository.shipline("play", "deploy", code=2)
    assert "Did you mean 'deploy'" in repository.shipline("play", "deplyo", code=2)


def test_the_commit_of_a_played_job_is_the_pipeline_s(repository):
    repository.commit(ci="show: {when: manual, script: [cat file]}\n", file="old\n")
    repository.shipline("run")
    repository.commit(file="new\n")
    assert "show | old" in repository.shipline("play", "show")


def test_a_failed_job_is_retried(repository, tmp_path):
    flag = tmp_path / "flag"
    repository.commit(
        ci="stages: [a, b]\n"
        f"check: {{stage: a, script: [test -e {flag}]}}\nafter: {{stage: b, script: [echo after]}}\n"
    )
    repository.shipline("run", code=1)
    flag.touch()
    text = repository.shipline("retry")
    assert "check | success" in text and "after | after" in text
    assert "has no failed or cancelled job" in repository.shipline("retry", code=2)
    assert "check | success" in repository.shipline("retry", "check")


def test_completion_knows_the_jobs(repository):
    complete = {"_SHIPLINE_COMPLETE": "bash_complete", "COMP_WORDS": "shipline play d", "COMP_CWORD": "2"}
    repository.commit(ci=MANUAL)
    assert repository.shipline(**complete).strip() == ""
    repository.shipline("run")
    assert repository.shipline(**complete) == "plain,deploy\n"


def test_status_logs_and_the_list(repository):
    sha = repository.commit("One", ci=MANUAL)
    assert "has had no pipeline yet" in repository.shipline("status", code=2)
    repository.shipline("run")
    assert repository.shipline("status").startswith("Pipeline 1 success")
    content = json.loads(repository.shipline("status", "--json"))
    assert content["pipeline"]["commit"]["sha"] == sha
    assert {job["name"]: job["status"] for job in content["jobs"]} == {
        "build": "success",
        "deploy": "manual",
        "after": "skipped",
    }
    log = repository.shipline("logs", "build")
    assert "\nbuilt\n" in log and "section_start" not in log
    assert "section_start" in repository.shipline("logs", "build", "--raw")
    assert repository.shipline("logs", "1") == log
    assert "Job 'deploy' is manual: it has no log yet" in repository.shipline("logs", "deploy")
    assert f'success    main {sha[:8]} "One"' in repository.shipline("pipelines")


def test_ctrl_c_cancels_and_leaves_nothing(repository, tmp_path, nap):
    repository.commit(
        ci=f"long:\n  script: ['echo started', '{nap}']\n"
        f"  after_script: ['touch {tmp_path}/after']\nnext: {{stage: deploy, script: [echo never]}}\n"
    )
    process = started(repository, "run")
    wait_for_line(process, "| started")
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=20)
    assert time.monotonic() - begun < 5
    assert process.returncode == 130, text
    assert (tmp_path / "after").exists()
    assert not goes_on(nap)
    assert repository.shipline("status", code=1).startswith("Pipeline 1 canceled")


def test_cancel_from_another_terminal(repository, nap):
    repository.commit(ci=f"long:\n  script: ['echo started', '{nap}']\n")
    process = started(repository, "run")
    wait_for_line(process, "| started")
    assert "long: canceling" in repository.shipline("cancel")
    process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Nothing of it is running" in repository.shipline("cancel")


def test_play_while_the_pipeline_still_runs_elsewhere(repository):
    repository.commit(ci="long: {script: ['echo started', 'sleep 3']}\nhand: {when: manual, script: [echo hi]}\n")
    process = started(repository, "run")
    wait_for_line(process, "| started")
    text = repository.shipline("play", "hand")
    assert "run by another process" in text and "hand | hi" in text
    assert "hand | hi" in process.communicate(timeout=20)[0]
    assert process.returncode == 0


def test_a_killed_process_s_job_is_settled_and_said_so(repository, nap):
    repository.commit(ci=f"long:\n  script: ['echo started', 'test $CI_JOB_ID != 1 || {nap}']\n")
    process = started(repository, "run")
    wait_for_line(process, "| started")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    text = repository.shipline("run")
    assert not goes_on(nap), "the script has ended, too"
    assert "Pipeline 1 was interrupted: its process died; long ran and counts as failed." in text
    assert "shipline retry --pipeline 1" in text and "Pipeline 2 success" in text
    content = json.loads(repository.shipline("status", "1", "--json", code=1))
    assert content["jobs"][0]["failure_reason"] == "runner_interrupted"
    assert "long | success" in repository.shipline("retry", "--pipeline", "1")


def assert_nothing_goes_on(repository) -> None:
    listed = repository.shipline("pipelines")
    assert "running" not in listed and "pending" not in listed, listed


def test_a_reader_that_goes_away_stops_nothing(repository):
    repository.commit(ci="long:\n  script: [seq 100000, sleep 0.5, echo done]\n")
    process = started(repository, "run")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert "done" in repository.shipline("logs", "long")
    assert repository.shipline("status").startswith("Pipeline 1 success")


@pytest.mark.parametrize("delay", [0.1, 0.2, 0.3, 0.4, 0.6])
def test_ctrl_c_at_any_moment(repository, delay, nap):
    repository.commit(ci=f"a: {{script: [{nap}]}}\nb: {{script: [{nap}]}}\n")
    process = started(repository, "run")
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=10)
    if "Python runtime state" not in text:  # else so early that Python itself had not begun
        assert process.returncode in (130, -signal.SIGINT) and "defect" not in text, text
    assert not goes_on(nap)
    assert_nothing_goes_on(repository)


@pytest.mark.parametrize("delay", [0.1, 0.25, 0.4, 0.6])
def test_killed_at_any_moment_nothing_is_lost_silently(repository, delay, nap):
    """Whatever had been made of the pipeline: the next command leaves no job that looks as if it went on."""
    repository.commit(ci=f"a: {{script: [{nap}]}}\nb: {{script: ['true'], needs: [a]}}\n")
    process = started(repository, "run")
    time.sleep(delay)
    process.kill()
    process.wait()
    repository.commit(ci="a: {script: ['true']}\n")
    text = repository.shipline("run")
    assert not goes_on(nap)
    assert "Pipeline" in text
    assert_nothing_goes_on(repository)
