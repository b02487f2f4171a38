"""GitLab's runner with its shell executor: it is registered, serves pipelines, and is stopped in every way."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance_server import ENDED, Server
from conformance_steps import Steps, expect, until

PROGRAM = "gitlab-runner"
RECIPES = Path(__file__).parent / "conformance_runner"
SECRET = "a-secret-of-the-project"
CHILD = "inner:\n  tags: [official]\n  script: [echo inside]\n"


class Runner:
    """The program, its config.toml in a folder of its own, and the process that serves."""

    def __init__(self, program: Path, home: Path) -> None:
        home.mkdir()
        self.program, self.home, self.config = program, home, home / "config.toml"
        self.log = home / "runner.log"
        self.environment = os.environ | {"HOME": str(home), "TRIED": str(home)}
        self.process: subprocess.Popen[bytes] | None = None

    def call(self, *words: str, seconds: int = 120) -> str:
        """A command of the program; what it says. A failure of it fails the step."""
        command = [str(self.program), *words]
        done = subprocess.run(
            command, env=self.environment, cwd=self.home, capture_output=True, text=True, timeout=seconds
        )
        expect(done.returncode == 0, f"{' '.join(words[:1])}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [
                str(self.program),
                "run",
                "--config",
                str(self.config),
                "--working-directory",
                str(self.home),
            ]
            self.process = subprocess.Popen(
                command, env=self.environment, cwd=self.home, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self, how: int, seconds: float = 60) -> int:
        """Its exit status after the signal."""
        assert self.process is not None
        self.process.send_signal(how)
        try:
            return self.process.wait(seconds)
        finally:
            if self.process.poll() is None:
                self.process.kill()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def try_shell(steps: Steps, program: Path, home: Path) -> None:
    """Every step of it, on a server of its own."""
    server = Server(home / "home")
    runner = Runner(program, home / "runner")
    try:
        step = lambda name: steps.step(PROGRAM, name)  # noqa: E731
        register(step, server, runner)
        runner.config.write_text(re.sub(r"concurrent = 1\b", "concurrent = 4", runner.config.read_text()))
        runner.start()
        whole(step, server, runner)
        stopped(step, server, runner)
    finally:
        runner.close()
        server.close()


def made(server: Server, **settings: Any) -> dict[str, Any]:
    """A runner made at the server: its id and token."""
    body = {"runner_type": "instance_type", "tag_list": ["official"], "run_untagged": False} | settings
    answer: dict[str, Any] = server.api("POST", "/user/runners", **body)
    return answer


def register(step: Callable[[str], Any], server: Server, runner: Runner) -> None:
    token = made(server)["token"]
    shared = ["--config", str(runner.config)]
    asked = ["register", "--non-interactive", "--executor", "shell", "--url", server.url, *shared]
    with step("register with a glrt- token"):
        runner.call(*asked, "--token", token, "--name", "ours")
        expect(token in runner.config.read_text(), "no token in config.toml")
    with step("a wrong token is refused at registration"):
        words = [str(runner.program), *asked, "--token", "glrt-wrong"]
        done = subprocess.run(words, env=runner.environment, capture_output=True, text=True, timeout=60)
        expect(done.returncode != 0 and "is not valid" in done.stderr, done.stderr)
    with step("register with the instance's registration token, then unregister"):
        old = server.api("POST", "/runners/reset_registration_token")["token"]
        runner.call(*asked, "--registration-token", old, "--name", "older", "--tag-list", "old,other")
        found = [one for one in server.api("GET", "/runners/all") if one["description"] == "older"]
        expect(len(found) == 1, found)
        expect(set(server.api("GET", f"/runners/{found[0]['id']}")["tag_list"]) == {"old", "other"})
        runner.call("unregister", "--name", "older", *shared)
        expect(not [one for one in server.api("GET", "/runners/all") if one["description"] == "older"])
        expect("older" not in runner.config.read_text(), "still in config.toml")
    with step("list"):
        expect("ours" in runner.call("list", *shared))
    with step("verify"):
        expect("is valid" in runner.call("verify", *shared))
    with step("reset-token, and verify with the new one"):
        runner.call("reset-token", "--name", "ours", *shared)
        expect(token not in runner.config.read_text(), "the token is the old one")
        expect("is valid" in runner.call("verify", *shared))


def whole(step: Callable[[str], Any], server: Server, runner: Runner) -> None:
    """One pipeline with most of what a job may ask for."""
    part = server.push("part", {"README.md": "A part\n"}, "-o", "ci.skip")
    lets_in = f"/projects/{server.project('part')}/job_token_scope/allowlist"
    files = {"README.md": "hello\n", ".gitlab-ci.yml": "none: {script: [':']}\n"}
    server.push("app", files, "-o", "ci.skip")
    project = server.project("app")
    server.api("POST", lets_in, target_project_id=project)
    for key, value, settings in (
        ("SECRET", SECRET, {"masked": True}),
        ("SETTINGS", "seven of nine", {"variable_type": "file"}),
        ("PROTECTED_ONE", "only-for-main", {"protected": True}),
    ):
        server.api("POST", f"/projects/{project}/variables", key=key, value=value, **settings)
    commit = server.push(
        "app",
        {
            ".gitlab-ci.yml": (RECIPES / "shell.gitlab-ci.yml").read_text(),
            "child.yml": CHILD,
            ".gitmodules": '[submodule "part"]\n\tpath = part\n\turl = ../part.git\n',
        },
        submodule=("part", part),
    )
    pipeline = server.pipeline(project, commit)

    def passes(name: str, *within: str, state: str = "success") -> dict[str, Any]:
        job = server.job(project, pipeline, name)
        trace = server.trace(project, job)
        expect(job["status"] == state, f"{name} is {job['status']} ({job.get('failure_reason')}):\n{trace}")
        for text in within:
            expect(text in trace, f"{name}: no {text!r} in:\n{trace}")
        return job

    with step("sources with a submodule, hooks, before_script and after_script"):
        passes("build", "before the sources", "before red", "Updating/initializing submodules", "after as success")
    with step("a masked, a file and a protected variable"):
        trace = server.trace(project, passes("build", "the secret is [MASKED] and the file holds seven of nine"))
        expect(SECRET not in trace, "the secret stands in the log")
    with step("artifacts with exclude, and reports: the server has them"):
        job = passes("build")
        expect({"archive", "dotenv", "junit"} <= {one["file_type"] for one in job["artifacts"]}, job)
        archive = server.api("GET", f"/projects/{project}/jobs/{job['id']}/artifacts")
        names = zipfile.ZipFile(io.BytesIO(archive)).namelist()
        expect("out/deep/result.txt" in names and "out/left.txt" not in names, names)
    with step("coverage"):
        expect(server.api("GET", f"/projects/{project}/jobs/{passes('build')['id']}")["coverage"] == 81.5)
    with step("test report"):
        found = server.api("GET", f"/projects/{project}/pipelines/{pipeline}/test_report_summary")
        expect(found["total"]["count"] == 2, found)
    with step("artifacts, dotenv variables and the cache come to a later job"):
        passes("use", "Downloading artifacts", "Successfully extracted cache")
    with step("dependencies: [] brings none; without it all come"):
        passes("without")
        passes("all-before")
    with step("parallel:matrix"):
        passes("matrix: [left]", "left 1/2")
        passes("matrix: [right]", "right 2/2")
    with step("a long log comes whole, in several parts"):
        trace = server.trace(project, passes("long"))
        lines = re.findall(r"line (\d)\.(\d+) of a long", trace)
        expected = [(str(part), str(line)) for part in range(1, 9) for line in range(1, 4001)]
        expect(lines == expected, f"{len(lines)} lines of {len(expected)}")
    with step("retry"):
        passes("again")
        everything = server.api(
            "GET", f"/projects/{project}/pipelines/{pipeline}/jobs?include_retried=true&per_page=100"
        )
        states = sorted(job["status"] for job in everything if job["name"] == "again")
        expect(states == ["failed", "success"], states)
    with step("allow_failure:exit_codes, and artifacts of a failure"):
        job = passes("broken", "exit status 42", state="failed")
        expect(job["allow_failure"] and job["artifacts_file"]["filename"] == "artifacts.zip", job)
    with step("timeout of the job"):
        job = passes("slow", "execution took longer than 5s", state="failed")
        expect(job["failure_reason"] == "job_execution_timeout", job)
    with step("timeout of the script alone, with after_script"):
        passes("shortened", "script timeout", "after a timeout", state="failed")
    with step("the job's token: clone, artifacts, API"):
        passes("token")
    with step("ID token"):
        passes("identity")
    with step("release"):
        passes("published")
        expect([one["tag_name"] for one in server.api("GET", f"/projects/{project}/releases")] == ["v1"])
    with step("sections of the log"):
        passes("sections", "section_start:1700000000:mine[collapsed=true]", "section_start:", "inside")
    with step("child pipeline"):
        look = lambda: server.api("GET", f"/projects/{project}/pipelines/{pipeline}/bridges")[0]  # noqa: E731
        until(lambda: look()["status"] in ENDED, "the child ends")
        expect(look()["status"] == "success", look())
    with step("a manual job, played with a variable, deploys to an environment"):
        waiting = server.job(project, pipeline, "deploy", "manual")
        asked = [{"key": "ASKED", "value": "somebody"}]
        server.api("POST", f"/projects/{project}/jobs/{waiting['id']}/play", job_variables_attributes=asked)
        passes("deploy", "deploying 1.2.3 for somebody")
        known = server.api("GET", f"/projects/{project}/environments")[0]
        expect((known["name"], known["external_url"]) == ("production", "https://example.com/1.2.3"), known)
    with step("the pipeline has succeeded"):
        until(
            lambda: server.api("GET", f"/projects/{project}/pipelines/{pipeline}")["status"] == "success",
            "the pipeline is a success",
            30,
        )
    with step("the server knows the manager: version, platform, executor"):
        known = server.api("GET", "/runners/all")[0]
        managers = server.api("GET", f"/runners/{known['id']}/managers")
        manager = next(one for one in managers if one["system_id"].startswith(("s_", "r_")))
        expect(manager["version"].startswith("19.") and manager["platform"] == "linux", manager)


def stopped(step: Callable[[str], Any], server: Server, runner: Runner) -> None:
    """Cancelled, paused, ended gracefully and not, and a runner of one job."""
    text = {".gitlab-ci.yml": (RECIPES / "stopped.gitlab-ci.yml").read_text()}
    server.push("stopped", text | {"README.md": "hello\n"}, "-o", "ci.skip")
    project = server.project("stopped")
    server.api("POST", f"/projects/{project}/variables", key="PROTECTED_ONE", value="only", protected=True)

    def begun(branch: str, job: str) -> int:
        pipeline = server.pipeline(project, server.push("stopped", {"branch": branch}, branch=branch))
        look = lambda: server.jobs(project, pipeline)[job]  # noqa: E731
        until(lambda: "started" in server.trace(project, look()), f"{job} starts", 60)
        return pipeline

    with step("cancel: canceling, after_script, canceled"):
        pipeline = begun("cancel", "cancelled")
        job = server.jobs(project, pipeline)["cancelled"]
        expect(server.api("POST", f"/projects/{project}/jobs/{job['id']}/cancel")["status"] == "canceling")
        ended = server.job(project, pipeline, "cancelled")
        expect(ended["status"] == "canceled", ended)
        expect("after as canceled" in server.trace(project, job), server.trace(project, job))
    with step("erase: the log is gone"):
        server.api("POST", f"/projects/{project}/jobs/{job['id']}/erase")
        expect("after as" not in server.trace(project, job))
    with step("SIGQUIT: the job ends first"):
        pipeline = begun("graceful", "graceful")
        expect(runner.stop(signal.SIGQUIT) == 0, runner.log.read_text())
        job = server.job(project, pipeline, "graceful", seconds=5)
        expect(job["status"] == "success" and "finished" in server.trace(project, job), job)
    with step("run-single takes one job of an unprotected branch"):
        pipeline = server.pipeline(project, server.push("stopped", {"branch": "single"}, branch="single"))
        alone = ["--url", server.url, "--token", made(server)["token"], "--executor", "shell", "--max-builds", "1"]
        runner.call("run-single", *alone)
        job = server.job(project, pipeline, "single", seconds=5)
        expect(job["status"] == "success" and "alone" in server.trace(project, job), server.trace(project, job))
    with step("SIGTERM: the job is aborted, and says so"):
        runner.start()
        pipeline = begun("abort", "aborted")
        runner.stop(signal.SIGTERM)
        job = server.job(project, pipeline, "aborted", seconds=30)
        expect((job["status"], job["failure_reason"]) == ("failed", "runner_interrupted"), job)
    with step("a paused runner gets no job; then it does"):
        known = next(one for one in server.api("GET", "/runners/all") if one["status"] == "online")
        server.api("PUT", f"/runners/{known['id']}", paused=True)
        runner.start()
        pipeline = server.pipeline(project, server.push("stopped", {"branch": "again"}, branch="single"))
        time.sleep(5)
        expect(server.jobs(project, pipeline)["single"]["status"] == "pending")
        server.api("PUT", f"/runners/{known['id']}", paused=False)
        expect(server.job(project, pipeline, "single")["status"] == "success")
    with step("unregister --all-runners: the server knows it no more"):
        runner.stop(signal.SIGQUIT)
        runner.call("unregister", "--all-runners", "--config", str(runner.config))
        expect("[[runners]]" not in runner.config.read_text(), runner.config.read_text())
