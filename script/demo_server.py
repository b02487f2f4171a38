"""The server of the demo, and its runner: processes that live as long as the story, and what is asked of them.

The server listens where the pods of the cluster reach this machine, and nowhere else: on the address at which they
find the cluster's API. What is shown is what a user would type; the token stands in a file, so that no list of
processes has it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any

PORT = 8929
ENDED = ("success", "failed", "canceled", "skipped", "manual")
LONGEST = 900  # seconds that a job may take
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


class Failed(Exception):
    """The server, the runner or a job has failed; the text says how."""


class Server:
    """`folder` is the demo's; `environment` is that of its commands."""

    def __init__(self, folder: Path, environment: dict[str, str], project: str) -> None:
        self.folder = folder
        self.environment = environment
        self.project = project
        self.home = folder / "server"
        self.url = ""
        self.header = folder / "token"
        self._shown: dict[int, int] = {}
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, host: str) -> None:
        """Starts the server; returns when it is ready."""
        self.url = f"http://{host}:{PORT}"
        log = self._run("shipline", "serve", "--home", str(self.home), "--host", host, log="server.log")
        self._wait_for(log, "Serving on", "server.log")
        made = ["shipline", "server", "token", "root", "--home", str(self.home)]
        print(f"{BOLD}$ {shlex.join(made)} > token{PLAIN}", flush=True)
        token = subprocess.run(made, env=self.environment, capture_output=True, text=True, check=False)
        if token.returncode:
            raise Failed(token.stderr.strip())
        _private(self.header, f"PRIVATE-TOKEN: {token.stdout.strip()}\n")

    def serve_jobs(self, cluster: str, example: Path) -> None:
        """Makes a runner for the example's tags, and starts it on the cluster."""
        tags = ",".join(re.findall(r'"(\w+)"', re.findall(r"tags = \[(.*)\]", example.read_text())[0]))
        made = self.ask("POST", "/user/runners", runner_type="instance_type", tag_list=tags, run_untagged="true")
        print(f"{self.url} has runner {made['id']} for the tags {tags}")
        config = self.folder / "config.toml"
        entry = f'[[runners]]\n  url = "{self.url}"\n  token = "{made["token"]}"'
        _private(config, example.read_text().replace("[[runners]]", entry, 1))
        words = ("shipline", "runner", "run", "--cluster", cluster, "--config", str(config))
        self._wait_for(self._run(*words, log="runner.log"), "Serving", "runner.log")

    def set_variable(self, key: str, file: Path, **settings: str) -> None:
        """Keeps a file's content as a variable of the project."""
        self.ask("POST", f"/projects/{self.project}/variables", files={"value": file}, key=key, **settings)

    def newest_pipeline(self) -> dict[str, Any]:
        found: dict[str, Any] = self._get(f"/projects/{self.project}/pipelines/latest")
        return found

    def jobs(self, pipeline: int) -> dict[str, dict[str, Any]]:
        """The pipeline's jobs by their names."""
        found = self._get(f"/projects/{self.project}/pipelines/{pipeline}/jobs")
        return {job["name"]: job for job in reversed(found)}

    def trace(self, job: int) -> str:
        text = self._call("GET", f"/projects/{self.project}/jobs/{job}/trace")
        return text.decode(errors="replace")

    def follow(self, pipeline: int) -> None:
        """Shows what the pipeline's jobs write until nothing of it runs. Failed when one of them has."""
        end = time.monotonic() + LONGEST
        while True:
            jobs = self.jobs(pipeline)
            for name, job in jobs.items():
                if job["status"] not in ("created", "pending", "manual", "skipped"):
                    self._show_more(name, job)
            states = {name: job["status"] for name, job in jobs.items()}
            if all(state in ENDED or state == "created" for state in states.values()):
                break
            if time.monotonic() > end:
                raise Failed(f"pipeline {pipeline} does not end: {states}")
            time.sleep(0.3)
        for name, job in jobs.items():
            print(f"  {job['stage']:<8} {name:<12} {job['status']}")
        if any(state == "failed" for state in states.values()):
            raise Failed(f"pipeline {pipeline} has failed")

    def play(self, pipeline: int, name: str) -> None:
        """Starts a manual job, as the button on the page does, and shows what it writes."""
        job = self.jobs(pipeline)[name]
        self.ask("POST", f"/projects/{self.project}/jobs/{job['id']}/play")
        self.follow(pipeline)

    def ask(self, method: str, path: str, files: dict[str, Path] | None = None, **values: str) -> dict[str, Any]:
        """A call with curl, as it is shown."""
        words = ["curl", "--silent", "--show-error", "--request", method, "--header", f"@{self.header}"]
        for key, value in values.items():
            words += ["--data-urlencode", f"{key}={value}"]
        for key, file in (files or {}).items():
            words += ["--data-urlencode", f"{key}@{file}"]
        words.append(f"{self.url}/api/v4{path}")
        shown = ["curl", "-X", method, "-H", "@token", *words[7:]]
        print(f"{BOLD}$ {shlex.join(shown)}{PLAIN}", flush=True)
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        answer = json.loads(done.stdout or "{}") if done.returncode == 0 else {"error": done.stderr}
        if not isinstance(answer, dict) or "error" in answer or "message" in answer:
            raise Failed(f"{method} {path}: {answer}")
        return answer

    def close(self) -> None:
        """Ends runner and server."""
        for process in reversed(self._processes):
            process.terminate()
            process.wait()

    def _run(self, *words: str, log: str) -> Path:
        path = self.folder / log
        print(f"{BOLD}$ {shlex.join(words)} &{PLAIN}", flush=True)
        file: IO[bytes] = path.open("wb")
        with file:
            self._processes.append(subprocess.Popen(words, env=self.environment, stdout=file, stderr=file))
        return path

    def _wait_for(self, log: Path, text: str, name: str) -> None:
        end = time.monotonic() + 60
        while text not in (said := log.read_text(errors="replace")):
            if self._processes[-1].poll() is not None or time.monotonic() > end:
                raise Failed(f"{name}: {said.strip() or 'nothing is said'}")
            time.sleep(0.05)
        print("\n".join(line for line in said.splitlines() if text in line))

    def _show_more(self, name: str, job: dict[str, Any]) -> None:
        text = re.sub(r"section_(start|end):\d+:[^\r]*\r", "", self.trace(job["id"])).replace("\x1b[0K", "")
        if job["status"] not in ENDED:
            text = text[: text.rfind("\n") + 1]
        for line in text[self._shown.get(job["id"], 0) :].splitlines():
            print(f"{name:<10} | {line}", flush=True)
        self._shown[job["id"]] = len(text)

    def _get(self, path: str) -> Any:
        return json.loads(self._call("GET", path))

    def _call(self, method: str, path: str) -> bytes:
        name, _, token = self.header.read_text().strip().partition(": ")
        request = urllib.request.Request(f"{self.url}/api/v4{path}", headers={name: token}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                found: bytes = response.read()
                return found
        except urllib.error.HTTPError as error:
            raise Failed(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from None


def _private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as stream:
        stream.write(text)
