"""`shipline watch`: new commits of a repository elsewhere have their pipelines run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SHIPLINE = [sys.executable, "-c", "from shipline.cli import main; raise SystemExit(main())"]
PIPELINE = """\
job:
  script:
    - echo "$CI_COMMIT_REF_NAME of $CI_PROJECT_NAME says $(cat text)"
    - '! grep -q wrong text'
"""


class Elsewhere:
    """A repository that somebody else works in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> None:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", *who, *words], cwd=self.folder, check=True, capture_output=True)

    def commit(self, text: str) -> None:
        (self.folder / ".gitlab-ci.yml").write_text(PIPELINE)
        (self.folder / "text").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", text)


@pytest.fixture
def elsewhere(tmp_path):
    made = Elsewhere(tmp_path / "app")
    made.commit("one")
    return made


def look(tmp_path, elsewhere, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*SHIPLINE, "watch", str(elsewhere.folder), "--once", *words]
    environment = os.environ | {"SHIPLINE_HOME": str(tmp_path / "home")}
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)


def test_each_new_commit_is_run_once(tmp_path, elsewhere):
    first = look(tmp_path, elsewhere)
    assert first.returncode == 0 and "Watching" in first.stderr and "says" not in first.stdout
    elsewhere.commit("two")
    elsewhere.git("branch", "feature")
    second = look(tmp_path, elsewhere)
    assert second.returncode == 0, second.stderr
    assert "main of app says two" in second.stdout and "feature of app says two" in second.stdout
    assert look(tmp_path, elsewhere).stdout == ""
    elsewhere.commit("wrong")
    elsewhere.git("tag", "v1")
    elsewhere.git("branch", "-D", "feature")
    third = look(tmp_path, elsewhere, "--ref", "v*", "--", "--quiet")
    assert third.returncode == 1 and "v1" in third.stdout and "main" not in third.stdout


def test_the_default_branch_can_be_run_at_first(tmp_path, elsewhere):
    assert "main of app says one" in look(tmp_path, elsewhere, "--now").stdout


@pytest.mark.parametrize("words", [(), ("--now",)])
def test_the_first_commit_of_an_empty_repository_is_new(tmp_path, words):
    empty = Elsewhere(tmp_path / "app")
    first = look(tmp_path, empty, *words)
    assert first.returncode == 0 and "0 branches and tags" in first.stderr and first.stdout == ""
    assert look(tmp_path, empty).stdout == ""
    empty.git("checkout", "-q", "-b", "trunk")
    empty.commit("one")
    assert "trunk of app says one" in look(tmp_path, empty).stdout
    assert look(tmp_path, empty).stdout == ""


def test_a_repository_that_cannot_be_read_is_told(tmp_path, elsewhere):
    elsewhere.folder.rename(tmp_path / "moved")
    done = look(tmp_path, elsewhere)
    assert done.returncode == 2 and "does not appear to be a git repository" in done.stderr


def test_it_goes_on_until_it_is_interrupted(tmp_path, elsewhere):
    environment = os.environ | {"SHIPLINE_HOME": str(tmp_path / "home")}
    log = (tmp_path / "log").open("w+")
    command = [*SHIPLINE, "watch", str(elsewhere.folder), "--every", "1"]
    watching = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    shown = lambda: (tmp_path / "log").read_text()  # noqa: E731
    deadline = time.monotonic() + 30
    while "Watching" not in shown() and time.monotonic() < deadline:
        time.sleep(0.05)
    elsewhere.commit("two")
    while "success after" not in shown() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "main of app says two" in shown()
    watching.send_signal(signal.SIGINT)
    assert watching.wait(10) == 130
    log.close()
