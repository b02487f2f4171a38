"""The server that is tried, and what a person does at it: push, press buttons, look."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import requests
from conformance_steps import until

SHIPLINE = str(Path(sys.executable).parent / "shipline")
ENDED = ("success", "failed", "canceled", "skipped")
AUTHOR = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")


class Server:
    """Listens on `host`; everything it has is in `home`."""

    def __init__(self, home: Path, host: str = "127.0.0.1") -> None:
        with socket.socket() as probe:
            probe.bind((host, 0))
            self.port = port = probe.getsockname()[1]
        self.url = f"http://{host}:{port}"
        command = [SHIPLINE, "serve", "--home", str(home), "--host", host, "--port", str(port)]
        with (home.parent / "server.log").open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        said = until(lambda: _said(home.parent / "server.log"), "the server is there", 60)
        self.password = said.split("Password: ")[1].split()[0]
        words = [SHIPLINE, "server", "token", "root", "--home", str(home)]
        self.token = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
        self.session = requests.Session()
        self.session.headers["PRIVATE-TOKEN"] = self.token

    def api(self, method: str, path: str, **body: Any) -> Any:
        """The answer of a call as values; any refusal fails the step."""
        answer = self.session.request(method, f"{self.url}/api/v4{path}", json=body or None, timeout=60)
        if not answer.ok:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.content

    def push(
        self,
        project: str,
        files: dict[str, str],
        *words: str,
        branch: str = "main",
        submodule: tuple[str, str] | None = None,
    ) -> str:
        """Commits the files to root/<project>, which is made when it is new; gives the commit.

        `submodule` is a path and the commit that is to be there.
        """
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "clone"
            remote = f"{self.url.replace('://', f'://root:{self.password}@')}/root/{project}.git"
            made = subprocess.run(["git", "clone", "-q", remote, folder], capture_output=True)
            if made.returncode:
                git(Path(scratch), "init", "-q", "-b", "main", str(folder))
                git(folder, "remote", "add", "origin", remote)
            there = git(folder, "branch", "-r", "--list", f"origin/{branch}")
            git(folder, "checkout", "-qB", branch, *there.split())
            for path, text in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text)
            git(folder, "add", "-A")
            if submodule is not None:
                git(folder, "update-index", "--add", "--cacheinfo", f"160000,{submodule[1]},{submodule[0]}")
            git(folder, *AUTHOR, "commit", "-qm", "A commit")
            git(folder, "push", "-q", *words, "origin", branch)
            return git(folder, "rev-parse", "HEAD")

    def project(self, name: str) -> int:
        return int(self.api("GET", f"/projects/root%2F{name}")["id"])

    def pipeline(self, project: int, commit: str) -> int:
        """The pipeline that the push of a commit has made."""
        path = f"/projects/{project}/pipelines?sha={commit}"
        number = int(until(lambda: self.api("GET", path), "a pipeline comes of a push", 30)[0]["id"])
        if not self.jobs(project, number):
            raise AssertionError(self.api("GET", f"/projects/{project}/pipelines/{number}")["yaml_errors"])
        return number

    def jobs(self, project: int, pipeline: int) -> dict[str, dict[str, Any]]:
        """The newest job of each name."""
        path = f"/projects/{project}/pipelines/{pipeline}/jobs?per_page=100"
        return {job["name"]: job for job in self.api("GET", path)}

    def job(self, project: int, pipeline: int, name: str, *states: str, seconds: float = 180) -> dict[str, Any]:
        """The job once it is in one of the states, or has ended."""
        look = lambda: self.jobs(project, pipeline).get(name, {"status": "absent"})  # noqa: E731
        until(
            lambda: look()["status"] in (*states, *ENDED), f"{name} gets {' or '.join(states) or 'an end'}", seconds
        )
        found = look()
        if states and found["status"] not in states:
            raise AssertionError(f"{name} is {found['status']}")
        return found

    def trace(self, project: int, job: dict[str, Any]) -> str:
        text: bytes = self.api("GET", f"/projects/{project}/jobs/{job['id']}/trace")
        return text.decode(errors="replace")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"git {' '.join(words)}: {done.stderr}")
    return done.stdout.strip()


def _said(log: Path) -> str:
    text = log.read_text()
    return text if "Serving on" in text and "Password: " in text else ""
