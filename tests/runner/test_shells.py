"""Jobs as processes of this machine."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time

import msgspec
import pytest
from tests.runner.desk import Desk, job, repository, run

from shipline.protocol.payload import Variable
from shipline.runner import Runner
from shipline.runner.workspace import remove_abandoned


async def ran(config, payload):
    desk = Desk(payload)
    await asyncio.wait_for(run(config, desk), 60)
    return desk.log(payload), desk.results[payload.id]


def contents(folder):
    """Every file below a folder, with what is in it."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def processes(words):
    """The processes whose command line holds `words`."""
    return subprocess.run(["pgrep", "-f", words], capture_output=True, text=True).stdout.split()


async def test_a_job_has_a_checkout_of_its_own(shells, source):
    log, result = await ran(shells, job(source, "cat hello.txt", "git rev-parse HEAD; git status --short", "pwd"))
    assert result.state == "success", log
    assert "hello from the commit\n" in log
    assert f"\n{source[1]}\n" in log
    (folder,) = (line for line in log.splitlines() if line.startswith("/"))
    assert not os.path.exists(folder)  # noqa: ASYNC240, PTH110


async def test_the_users_repository_is_not_written_to(shells, source, tmp_path):
    before = contents(tmp_path)
    script = [
        "echo changed > hello.txt",
        "git -c user.name=x -c user.email=x@x commit -qam changed",
        "git push origin HEAD:main",
    ]
    log, result = await ran(shells, job(source, *script))
    assert result.state == "failed", log
    assert contents(tmp_path) == before


async def test_jobs_do_not_see_each_others_changes(shells, source):
    jobs = [job(source, "echo mine >> hello.txt; cat hello.txt | wc -l") for _ in range(3)]
    desk = Desk(*jobs)
    await run(shells, desk, 3)
    assert all("\n2\n" in desk.log(each) for each in jobs)


async def test_nothing_of_our_environment_leaks_in(shells, source, monkeypatch):
    monkeypatch.setenv("PRIVATE_OF_THE_USER", "leaked")
    log, _ = await ran(shells, job(source, "env", "echo path=$PATH"))
    assert "PRIVATE_OF_THE_USER" not in log
    assert f"path={os.environ['PATH']}" in log


async def test_exit_code_and_reason(shells, source):
    log, result = await ran(shells, job(source, "exit 7"))
    assert (result.state, result.failure_reason, result.exit_code) == ("failed", "script_failure", 7)
    assert log.endswith("\x1b[31;1mERROR: Job failed: exit status 7\x1b[0;m\n")


async def test_a_script_that_reads_its_input_gets_its_end(shells, source):
    log, result = await ran(shells, job(source, "cat; echo done"))
    assert result.state == "success", log


async def test_a_child_left_in_the_background_does_not_hold_the_job_and_is_gone_afterwards(shells, source):
    start = time.monotonic()
    sleep = f"sleep 300.{os.getpid()}"
    log, _ = await ran(shells, job(source, f"{sleep} & echo started"))
    assert time.monotonic() - start < 5
    assert "started" in log
    assert processes(sleep) == []


async def test_daemons_of_a_job_end_with_it(shells, source):
    sleep = f"sleep 302.{os.getpid()}"
    await ran(shells, job(source, f"setsid -f {sleep} > /dev/null 2>&1"))
    assert processes(sleep) == []


async def test_canceling_stops_the_script_and_runs_after_script(shells, source):
    payload = job(source, "echo begun; sleep 100", after=["echo after=$CI_JOB_STATUS"])
    desk = Desk(payload)
    running = asyncio.create_task(run(shells, desk))
    await desk.says(payload, "begun\n")
    desk.order(payload).set_result("canceling")
    await asyncio.wait_for(running, 5)
    assert "after=canceled" in desk.log(payload)
    assert desk.results[payload.id].failure_reason == "job_canceled"


async def test_time_limits_of_script_and_after_script(shells, source):
    limits = [Variable("RUNNER_SCRIPT_TIMEOUT", "1s"), Variable("RUNNER_AFTER_SCRIPT_TIMEOUT", "500ms")]
    payload = job(source, "sleep 50", after=["echo after=$CI_JOB_STATUS; sleep 50"], variables=limits)
    log, result = await ran(shells, payload)
    assert result.failure_reason == "job_execution_timeout"
    assert "after=failed" in log
    assert "after_script failed, but job will continue unaffected: it took longer than" in log


async def test_a_stopped_runner_reports_and_leaves_nothing(shells, source):
    sleep = f"sleep 301.{os.getpid()}"
    payload = job(source, f"echo begun; {sleep}")
    desk = Desk(payload)
    running = asyncio.create_task(Runner(shells, desk).run())
    await desk.says(payload, "begun\n")
    running.cancel()
    await asyncio.wait([running], timeout=5)
    assert desk.results[payload.id].failure_reason == "runner_interrupted"
    assert processes(sleep) == []


async def test_variables_left_in_gitlab_env_reach_after_script(shells, source):
    log, _ = await ran(shells, job(source, "echo LEFT=behind >> $GITLAB_ENV", after=["echo got $LEFT"]))
    assert "got behind" in log


async def test_file_variables(shells, source):
    variables = [Variable("KEY", "line one\nline two", file=True)]
    log, _ = await ran(shells, job(source, "cat $KEY; echo; ls -l $KEY", variables=variables))
    assert "line one\nline two\n" in log


async def test_bytes_that_are_no_text_become_replacement_characters(shells, source):
    log, _ = await ran(shells, job(source, r"printf 'a\377b\n'; printf '\303\251\n'"))
    assert "a�b\né\n" in log


async def test_a_log_longer_than_its_limit_is_cut_and_the_job_goes_on(shells, source):
    small = msgspec.structs.replace(shells, output_limit=4)
    log, result = await ran(small, job(source, "seq 1 5000", "exit 5"))
    assert result.exit_code == 5
    assert "Job's log exceeded limit of 4096 bytes." in log
    assert len(log) < 5000


async def test_huge_output_arrives_whole(shells, source):
    large = msgspec.structs.replace(shells, output_limit=1 << 20)
    start = time.monotonic()
    log, _ = await ran(large, job(source, "seq 1 300000", "head -c 3000000 /dev/zero | tr '\\0' x; echo"))
    assert "\n1\n2\n" in log
    assert "\n299999\n300000\n" in log
    assert "x" * 3_000_000 in log
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("none", "no files"), ("empty", "no files"), ("clone", "hello.txt"), ("fetch", "hello.txt")],
)
async def test_git_strategies(shells, source, strategy, expected):
    script = "if [ -e hello.txt ]; then ls; else echo no files; fi"
    log, result = await ran(shells, job(source, script, variables=[Variable("GIT_STRATEGY", strategy)]))
    assert result.state == "success", log
    assert f"\n{expected}\n" in log


async def test_settings_that_cannot_be_read_are_named_and_left_aside(shells, source):
    given = {"GIT_STRATEGY": "teleport", "GIT_CHECKOUT": "perhaps", "CI_DEBUG_TRACE": "yes"}
    given |= {"GET_SOURCES_ATTEMPTS": "many", "ARTIFACT_DOWNLOAD_ATTEMPTS": "11"}
    given |= {"RUNNER_SCRIPT_TIMEOUT": "-5m", "RUNNER_AFTER_SCRIPT_TIMEOUT": "soon"}
    log, result = await ran(shells, job(source, "ls", variables=[Variable(*each) for each in given.items()]))
    assert result.state == "success" and "\nhello.txt\n" in log, log
    either = "expected either 'clone', 'fetch', 'none' or 'empty'"
    for words in (
        f"GIT_STRATEGY: {either} got \"teleport\", using default value 'fetch'",
        'GIT_CHECKOUT: expected bool got "perhaps", using default value: true',
        'CI_DEBUG_TRACE: expected bool got "yes", using default value: false',
        'GET_SOURCES_ATTEMPTS: expected int got "many", using default value: 1',
        "Ignoring relative RUNNER_SCRIPT_TIMEOUT timeout: -5m",
        "Ignoring malformed RUNNER_AFTER_SCRIPT_TIMEOUT timeout: soon",
        "ARTIFACT_DOWNLOAD_ATTEMPTS: number of attempts out of the range [1, 10], clamping to: 10",
    ):
        assert f"WARNING: {words}" in log


async def test_a_script_has_no_more_time_than_its_job(shells, source):
    longer = [Variable("RUNNER_SCRIPT_TIMEOUT", "20m"), Variable("RUNNER_AFTER_SCRIPT_TIMEOUT", "0s")]
    log, result = await ran(shells, job(source, "true", after=["echo after"], variables=longer, timeout=600))
    assert result.state == "success" and "\nafter\n" in log, log
    assert "RUNNER_SCRIPT_TIMEOUT timeout: 20m is longer than job timeout. Setting to job timeout" in log


async def test_flags_of_git_may_be_none(shells, source):
    names = ("GIT_FETCH_EXTRA_FLAGS", "GIT_CLEAN_FLAGS", "GIT_SUBMODULE_UPDATE_FLAGS")
    variables = [Variable("GIT_SUBMODULE_STRATEGY", "normal"), *(Variable(name, "none") for name in names)]
    log, result = await ran(shells, job(source, "ls", variables=variables))
    assert result.state == "success", log


async def test_a_commit_that_is_missing(shells, source):
    log, result = await ran(shells, job((source[0], "1" * 40), "true"))
    assert "the commit 11111111 cannot be checked out from" in log
    assert result.failure_reason == "runner_system_failure"


async def test_sha256_repositories(shells, tmp_path):
    url, sha = repository(tmp_path / "sha256", {"a.txt": "long names\n"}, "--object-format=sha256")
    payload = job((url, sha), "cat a.txt; git log -1 --format=%H")
    payload.git_info.repo_object_format = "sha256"
    log, result = await ran(shells, payload)
    assert result.state == "success", log
    assert sha in log


def test_what_a_killed_runner_left_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    left, own = tmp_path / "shipline-runner-999999999-x", tmp_path / f"shipline-runner-{os.getpid()}-y"
    left.mkdir()
    own.mkdir()
    assert remove_abandoned() == [left]
    assert own.exists()


def git(folder, *words):
    who = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always"]
    return subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


async def test_submodules_beside_the_repository(shells, source, tmp_path):
    repository(tmp_path / "module", {"part.txt": "from the module\n"})
    folder = tmp_path / "repository"
    git(folder, "submodule", "add", "-q", "../module", "part")
    git(folder, "commit", "-qm", "with a module")
    payload = job((source[0], git(folder, "rev-parse", "HEAD")), "cat part/part.txt",
                  variables=[Variable("GIT_SUBMODULE_STRATEGY", "normal")])  # fmt: skip
    log, result = await ran(shells, payload)
    assert result.state == "success", log
    assert "\nfrom the module\n" in log


async def test_the_project_may_have_another_folder_of_the_builds(shells, source):
    other = [Variable("GIT_CLONE_PATH", "$CI_BUILDS_DIR/other/place")]
    log, result = await ran(
        shells, job(source, 'test "$PWD" = "$CI_PROJECT_DIR"; pwd; cat hello.txt', variables=other)
    )
    assert result.state == "success" and "/other/place\nhello from the commit\n" in log, log
    for way, strategy in (("/elsewhere", "fetch"), ("$CI_BUILDS_DIR/..", "clone"), ("$CI_BUILDS_DIR", "none")):
        wrong = [Variable("GIT_CLONE_PATH", way), Variable("GIT_STRATEGY", strategy)]
        log, result = await ran(shells, job(source, "pwd", variables=wrong))
        assert result.failure_reason == "runner_configuration_error" and "has to be within" in log, log


async def test_a_job_may_remove_all_builds(shells, source):
    log, result = await ran(shells, job(source, 'rm -rf "$CI_BUILDS_DIR"', after=["echo here"]))
    assert result.state == "success", log
    assert "No such file or directory" in log and "after_script failed, but job will continue unaffected" in log
