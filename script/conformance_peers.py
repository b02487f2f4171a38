"""Peers that Collabora made, independent of GitLab's programs and of ours: a server that offers jobs, whom
`shipline runner` serves, and a runner, which serves `shipline serve`. They are crates (`conformance_rust`): cargo
builds them; where there is none, or no registry, that is said and nothing of it is tried."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conformance_build import CACHE
from conformance_server import SHIPLINE, Server
from conformance_steps import Steps, expect, until

SOURCES = Path(__file__).parent / "conformance_rust"
THEIRS = "gitlab-runner-mock"
RUNNER = "gitlab-runner-rs"
PIPELINE = """\
stages: [build, use]
variables: {COLOUR: "red"}
default: {tags: [independent]}
build:
  stage: build
  script: [say hello, say COLOUR, say SECRET, keep out/result.txt, keep left.txt]
  after_script: [say bye]
  artifacts: {paths: [out/, junit.xml], reports: {junit: junit.xml}, expire_in: 1 day}
use: {stage: use, script: [received]}
fails: {stage: build, allow_failure: true, script: [fail, say never]}
slow: {stage: use, needs: [], script: [say started, wait 120, say never]}
"""


def build_peers() -> Path | None:
    """The folder of both programs; None when they cannot be had, which is said."""
    if shutil.which("cargo") is None:
        print("The independent peers are not built: there is no cargo (https://rustup.rs)", flush=True)
        return None
    target = CACHE / "peers"
    command = ["cargo", "build", "--quiet", "--locked", "--manifest-path", str(SOURCES / "Cargo.toml")]
    made = subprocess.run(
        command, env=os.environ | {"CARGO_TARGET_DIR": str(target)}, capture_output=True, text=True, timeout=3600
    )
    if made.returncode:
        print(f"The independent peers are not built: {made.stderr.strip()[-300:]}", flush=True)
        return None
    return target / "debug"


def try_peers(steps: Steps, home: Path) -> None:
    programs = build_peers()
    if programs is not None:
        serve_their_server(steps, programs / "mock-server", home)
        be_served(steps, programs / "independent-runner", home)


@contextmanager
def running(log: Path, *command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program at work; what it says goes to the log."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=log.parent)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def serve_their_server(steps: Steps, program: Path, home: Path) -> None:
    """`shipline runner` takes everything that their server offers."""
    said = home / "mock.log"
    with running(said, program) as server:
        until(lambda: said.read_text().startswith("{"), "their server is there", 30)
        place = json.loads(said.read_text().splitlines()[0])
        entry = f'name = "peer"\nurl = "{place["url"]}"\ntoken = "{place["token"]}"\nexecutor = "shell"\n'
        (home / "config.toml").write_text(f"concurrent = 3\ncheck_interval = 1\n[[runners]]\n{entry}")
        command = (SHIPLINE, "runner", "run", "--config", home / "config.toml")
        with running(home / "runner.log", *command):
            server.wait(150)
    jobs = {job["name"]: job for job in map(json.loads, said.read_text().splitlines()[1:])}

    def ended(name: str, state: str, *within: str) -> dict[str, Any]:
        job: dict[str, Any] = jobs[name]
        expect(job["state"] == state, f"{name} is {job['state']}:\n{job['log']}")
        for text in within:
            expect(text in job["log"], f"{name}: no {text!r} in:\n{job['log']}")
        return job

    with steps.step(THEIRS, "a job with variables, after_script, an archive and a report"):
        job = ended("build", "success", "built blue with [MASKED]", "after as success")
        kept = [(file["filename"], file["type"], file["format"]) for file in job["artifacts"]]
        wanted = [("artifacts.zip", "archive", "zip"), ("junit.xml.gz", "junit", "gzip")]
        expect(kept == wanted, kept)
    with steps.step(THEIRS, "an archive of an earlier job, at the second attempt"):
        ended("use", "success", "\nresult\n", "500 Internal Server Error")
    with steps.step(THEIRS, "a failure, and what it leaves"):
        expect(ended("fails", "failed", "exit status 3", "after as failed")["artifacts"], "no artifacts")
    with steps.step(THEIRS, "a long log comes whole, in several parts"):
        job = ended("long", "success")
        lines = [line for line in job["log"].splitlines() if line.startswith("line ")]
        expect(lines == [f"line {number} of a long log" for number in range(1, 20001)], len(lines))
        expect(job["patches"] > 1, job["patches"])
    with steps.step(THEIRS, "a cancel, heard of with the next call"):
        for name in ("cancelled", "late"):
            expect("\nnever" not in ended(name, "canceled")["log"], jobs[name]["log"])


def be_served(steps: Steps, program: Path, home: Path) -> None:
    """Their runner serves this server."""
    server = Server(home / "home")
    try:
        body = {"runner_type": "instance_type", "tag_list": ["independent"], "run_untagged": False}
        token = server.api("POST", "/user/runners", **body)["token"]
        server.push("app", {"README.md": "hello\n"}, "-o", "ci.skip")
        project = server.project("app")
        setting = {"key": "SECRET", "value": "a-secret-of-the-project", "masked": True}
        server.api("POST", f"/projects/{project}/variables", **setting)
        pipeline = server.pipeline(project, server.push("app", {".gitlab-ci.yml": PIPELINE}))
        (home / "builds").mkdir()
        with running(home / "independent.log", program, server.url, token, home / "builds"):

            def passes(name: str, *within: str, state: str = "success") -> dict[str, Any]:
                job = server.job(project, pipeline, name)
                trace = server.trace(project, job)
                expect(job["status"] == state, f"{name} is {job['status']}:\n{trace}")
                for text in within:
                    expect(text in trace, f"{name}: no {text!r} in:\n{trace}")
                return job

            with steps.step(RUNNER, "a job with variables, after_script and an archive"):
                job = passes(
                    "build", "Script", "hello", "COLOUR is red", "SECRET is <MASKED>", "AfterScript", "bye"
                )
                expect("archive" in {one["file_type"] for one in job["artifacts"]}, job["artifacts"])
            with steps.step(RUNNER, "the archive of an earlier job"):
                passes("use", f"out/result.txt of build: kept by {job['id']}")
            with steps.step(RUNNER, "a failure"):
                passes("fails", "cannot fail", state="failed")
            with steps.step(
                RUNNER, "a cancel: a runner that does not know how to cancel step by step is told at once"
            ):
                look = lambda: server.jobs(project, pipeline)["slow"]  # noqa: E731
                until(lambda: "started" in server.trace(project, look()), "the job starts", 60)
                server.api("POST", f"/projects/{project}/jobs/{look()['id']}/cancel")
                expect("never" not in server.trace(project, passes("slow", state="canceled")))
    finally:
        server.close()
