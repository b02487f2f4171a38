"""The git program, called so that no setting of the user's environment changes what it answers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from shipline.engine.errors import EngineError

_ALWAYS = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat"}
_NEVER = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_EXTERNAL_DIFF")


class GitError(EngineError):
    """git answered with an error; `stderr` is its text."""

    def __init__(self, message: str, stderr: str = "") -> None:
        super().__init__(message)
        self.stderr = stderr


class GitCall:
    """A git process that has been started; `output` waits for it. Starting several first lets them overlap."""

    def __init__(self, directory: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self.arguments = arguments
        self._process = start(directory, *arguments, environment=environment)

    def output(self, *, missing: bytes | None = None) -> bytes:
        """What git printed. `missing`: the answer instead, when git fails."""
        out, err = self._process.communicate()
        if self._process.returncode == 0:
            return out
        if missing is not None:
            return missing
        text = err.decode(errors="replace").strip()
        raise GitError(f"git {' '.join(self.arguments)}: {text}", text)


def git(directory: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Runs git; gives what it printed, without the last newline. Raises GitError."""
    return GitCall(directory, *arguments, environment=environment).output().decode(errors="replace").rstrip("\n")


def start(
    directory: Path, *arguments: str, stdin: int = subprocess.DEVNULL, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """A git process with pipes for what it prints."""
    inherited = {key: value for key, value in os.environ.items() if key not in _NEVER}
    try:
        return subprocess.Popen(
            ["git", *arguments],
            cwd=directory,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=inherited | _ALWAYS | dict(environment or {}),
        )
    except FileNotFoundError:
        if not directory.is_dir():
            raise EngineError(f"There is no directory {directory}.") from None
        raise EngineError("The program git is not there. Install it (apt install git).", exit_code=3) from None


class Object(NamedTuple):
    """An object of the repository: `kind` is `commit`, `tree`, `blob` or `tag`."""

    sha: str
    kind: str
    content: bytes


class Objects:
    """Reads objects through one `git cat-file --batch`, started with the first read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Starts the process early, so that it starts while something else is done."""
        if self._process is None:
            self._process = start(self._directory, "cat-file", "--batch", stdin=subprocess.PIPE)

    def read(self, name: str) -> Object | None:
        """An object by its name (`<sha>`, `main^{commit}`, `<sha>:path`); None when there is none."""
        if "\n" in name:
            return None
        self.begin()
        assert self._process is not None and self._process.stdin and self._process.stdout
        self._process.stdin.write(name.encode() + b"\n")
        self._process.stdin.flush()
        header = self._process.stdout.readline().split()
        if len(header) != 3 or not header[2].isdigit():
            return None
        content = self._process.stdout.read(int(header[2]))
        self._process.stdout.read(1)
        return Object(header[0].decode(), header[1].decode(), content)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
