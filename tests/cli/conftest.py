"""The real console script against real git repositories, with a state directory of its own for each test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHIPLINE = Path(sys.executable).with_name("shipline")


class Shell:
    """A working directory in which the tests call `shipline` and `git` as a person would."""

    def __init__(self, directory: Path, home: Path) -> None:
        self.directory = directory
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "SHIPLINE_HOME": str(home / "state"),
            "LANG": "C.UTF-8",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
        }
        if engine := os.environ.get("DOCKER_HOST"):
            self.environment["DOCKER_HOST"] = engine

    def shipline(self, *arguments: str, code: int = 0, stdin: str = "", **environment: str) -> str:
        """Runs the console script, checks its exit code; gives standard output and standard error together."""
        done = subprocess.run(
            [SHIPLINE, *arguments],
            cwd=self.directory,
            env=self.environment | environment,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, f"exit code {done.returncode}:\n{done.stdout}"
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def write(self, path: str, text: str) -> Path:
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def commit(self, message: str = "A commit", *, ci: str | None = None, **files: str) -> str:
        """Writes .gitlab-ci.yml (`ci`) and other files, commits everything; gives the commit's id."""
        if ci is not None:
            self.write(".gitlab-ci.yml", ci)
        for path, text in files.items():
            self.write(path, text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """An empty directory that isn't a repository."""
    (tmp_path / "work").mkdir()
    (tmp_path / "home").mkdir()
    return Shell(tmp_path / "work", tmp_path / "home")


@pytest.fixture
def repository(shell: Shell) -> Shell:
    """An empty git repository on the branch main."""
    shell.git("init", "-q", "-b", "main")
    return shell
