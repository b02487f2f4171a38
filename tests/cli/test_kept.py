"""Failed jobs that are kept, a shell in them, and their end; jobs that run in a shell of this machine."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.cli.conftest import SHIPLINE
from tests.cli.terminal import Terminal
from tests.cli.test_later import started, wait_for_line

BROKEN = """
broken:
  variables: {TEXT: "it's \\"$HOME\\" \\\\ $CI_JOB_NAME\\nsecond line"}
  script:
    - echo left > made
    - echo 'LATER=from the script' >> $GITLAB_ENV
    - test "$FIX" = yes
"""


@pytest.fixture
def broken(repository):
    """A repository whose job `broken` failed and was kept."""
    repository.commit(ci=BROKEN)
    repository.shipline("variable", "set", "CERT", "--type", "file", stdin="a\nb\n")
    repository.shipline("variable", "set", "TOKEN", "--masked", stdin="very-secret")
    repository.shipline("run", "--keep-failed", code=1)
    return repository


def folders(repository) -> list[Path]:
    return list((repository.home / "state" / "sites" / "folders").glob("*"))


def test_the_summary_says_how_to_get_in_and_how_to_remove_it(broken):
    text = broken.shipline("status", code=1)
    assert "It is kept: shipline shell 1 opens a shell in it, shipline cleanup 1 removes it" in text
    assert "  broken (job 1), " in text


def test_a_command_sees_what_the_job_saw(broken):
    text = broken.shipline("shell", "broken", "--", "sh", "-c", 'cat made "$CERT"; echo "$TEXT|$LATER|$TOKEN"')
    assert text == 'left\na\nb\nit\'s "" \\ broken\nsecond line|from the script|very-secret\n'
    assert broken.shipline("shell", "1", "--", "pwd").strip().endswith("/local/work")
    broken.shipline("shell", "broken", "--", "sh", "-c", "exit 7", code=7)
    assert broken.shipline("shell", "broken", stdin="cat made; exit 5\n", code=5) == "left\n"


def test_nothing_of_the_hosts_variables_and_no_secret_in_arguments(broken):
    text = broken.shipline("shell", "broken", "--", "sh", "-c", "env; tr '\\0' ' ' < /proc/$PPID/cmdline", OURS="x")
    assert "OURS=" not in text and "TOKEN=very-secret" in text
    assert "very-secret" not in text.replace("TOKEN=very-secret", "")


def test_a_terminal_in_it(broken):
    view = Terminal([str(SHIPLINE), "shell", "broken"], broken.directory, broken.environment, columns=200)
    try:
        view.line("[broken] ")
        view.type("echo $((6*7)) $TERM $(tput cols)\n")
        view.line("42 xterm-256color 200")
        view.type("sleep 60\n")
        time.sleep(0.3)
        view.type("\x03exit 3\n")
        assert view.end() == 3
    finally:
        view.close()


def test_cleanup_removes_it(broken):
    assert len(folders(broken)) == 1
    assert "Nothing is kept of a job 9." in broken.shipline("cleanup", "9", code=2)
    assert broken.shipline("cleanup", "1") == "Removed broken (job 1).\n"
    assert folders(broken) == []
    assert "Kept:" not in broken.shipline("status", code=1)
    assert broken.shipline("cleanup") == "Nothing is kept.\n"
    text = broken.shipline("shell", "broken", code=3)
    assert "Nothing is kept of job 'broken', which is failed" in text and "retry broken" in text


def test_the_next_run_of_the_job_removes_it(broken):
    broken.shipline("run", "--keep-failed", code=1)
    assert len(folders(broken)) == 1 and "-2-" in folders(broken)[0].name
    broken.shipline("run", "-v", "FIX=yes")
    assert folders(broken) == []


def test_retry_keeps_too_and_another_job_lets_it_be(broken):
    broken.shipline("retry", "broken", "--keep-failed", code=1)
    assert [folder.name.split("-")[1] for folder in folders(broken)] == ["2"]
    broken.commit(ci="other: {script: [echo x]}\n")
    broken.shipline("run")
    assert len(folders(broken)) == 1


def test_what_is_not_asked_for_is_not_kept(repository):
    repository.commit(ci=BROKEN)
    repository.shipline("run", code=1)
    assert folders(repository) == []
    repository.shipline("run", "--keep-failed", "-v", "FIX=yes")
    assert folders(repository) == []


def test_a_job_that_runs_can_be_entered(repository, tmp_path):
    go = tmp_path / "go"
    repository.commit(
        ci=f"slow: {{script: [echo here > made, 'echo ready; while [ ! -e {go} ]; do sleep 0.1; done']}}\n"
    )
    process = started(repository, "run")
    wait_for_line(process, "| ready")
    assert repository.shipline("shell", "slow", "--", "sh", "-c", "cat made; echo $CI_JOB_ID") == "here\n1\n"
    go.touch()
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert "which is success" in repository.shipline("shell", "slow", code=3)


def test_a_job_whose_time_was_over_is_kept_and_its_processes_are_not(repository):
    repository.commit(ci="slow: {timeout: 1s, script: [echo here > made, sleep 61.25]}\n")
    repository.shipline("run", "--keep-failed", "--timeout", "1s", code=1)
    assert repository.shipline("shell", "slow", "--", "cat", "made") == "here\n"
    assert subprocess.run(["pgrep", "-f", "sleep 61.25"], check=False).returncode == 1


def test_what_a_killed_run_left_goes_with_the_next(repository):
    repository.commit(ci="slow: {script: [echo ready, sleep 62.25]}\nquick: {script: [echo x]}\n")
    process = started(repository, "run", "--keep-failed", "--job", "slow")
    wait_for_line(process, "| ready")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    assert len(folders(repository)) == 1
    repository.shipline("run", "--job", "quick")
    assert folders(repository) == [] and list((repository.home / "state" / "sites").glob("*.json")) == []
    assert subprocess.run(["pgrep", "-f", "sleep 62.25"], check=False).returncode == 1


def test_an_interrupted_job_is_not_kept(repository):
    repository.commit(ci="slow: {script: [echo ready, sleep 63.25]}\n")
    process = started(repository, "run", "--keep-failed")
    wait_for_line(process, "| ready")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert folders(repository) == []


def test_records_hold_no_secret_and_are_private(broken):
    (record,) = (broken.home / "state" / "sites").glob("*.json")
    assert "very-secret" not in record.read_text() and json.loads(record.read_text())["name"] == "broken"
    assert record.stat().st_mode & 0o077 == 0
    for path in folders(broken)[0].rglob("*.sh"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert folders(broken)[0].stat().st_mode & 0o077 == 0
