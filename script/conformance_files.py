"""GitLab's runner and files: ways to the sources, Git LFS, reports of every kind, logs that are too long; and what
ends a job from outside: a newer commit, a failure of the runner's own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from conformance_server import AUTHOR, Server, git
from conformance_shell import Runner, made
from conformance_steps import Steps, expect, until

PROGRAM = "gitlab-runner and files"
PIPELINE = Path(__file__).parent / "conformance_runner" / "files.gitlab-ci.yml"
REPORTS = 20


def try_files(steps: Steps, program: Path, home: Path) -> None:
    server = Server(home / "home")
    runner = Runner(program, home / "runner")
    try:
        token = made(server, tag_list=["files"])["token"]
        asked = ["--executor", "shell", "--url", server.url, "--config", str(runner.config), "--token", token]
        runner.call("register", "--non-interactive", "--name", "ours", *asked)
        runner.config.write_text(runner.config.read_text().replace("concurrent = 1\n", "concurrent = 4\n"))
        runner.start()
        jobs(steps, server, home / "clone")
        interrupted(steps, server)
    finally:
        runner.close()
        server.close()


def large_files_are_known() -> bool:
    """Whether Git LFS is installed here."""
    return not subprocess.run(["git", "lfs", "version"], capture_output=True).returncode


def large_file(server: Server, clone: Path) -> str:
    """Pushes a commit with a file that Git LFS keeps; gives the commit."""
    server.push("files", {"README.md": "hello\n"}, "-o", "ci.skip")
    remote = f"{server.url.replace('://', f'://root:{server.password}@')}/root/files.git"
    git(clone.parent, "clone", "-q", remote, str(clone))
    if large_files_are_known():
        git(clone, "lfs", "install", "--local")
        git(clone, "lfs", "track", "*.bin")
    (clone / "large.bin").write_text("a large file")
    (clone / ".gitlab-ci.yml").write_text(PIPELINE.read_text())
    git(clone, "add", "-A")
    git(clone, *AUTHOR, "commit", "-qm", "A large file")
    git(clone, "push", "-q", "origin", "HEAD:main")
    return git(clone, "rev-parse", "HEAD")


def jobs(steps: Steps, server: Server, clone: Path) -> None:
    commit = large_file(server, clone)
    project = server.project("files")
    pipeline = server.pipeline(project, commit)

    def passes(name: str, *within: str, state: str = "success") -> dict[str, Any]:
        job = server.job(project, pipeline, name)
        trace = server.trace(project, job)
        expect(job["status"] == state, f"{name} is {job['status']} ({job.get('failure_reason')}):\n{trace[-3000:]}")
        for text in within:
            expect(text in trace, f"{name}: no {text!r} in:\n{trace[-3000:]}")
        return job

    if large_files_are_known():
        with steps.step(PROGRAM, "Git LFS: the file, and its pointer first"):
            passes("large")
            passes("pointers")
    for name in ("shallow", "whole", "empty"):
        with steps.step(PROGRAM, f"the sources, {name}"):
            passes(name)
    with steps.step(PROGRAM, "a log beyond the runner's limit is cut, and the job goes on"):
        passes("too-long", "exceeded limit of 4194304 bytes")
    with steps.step(PROGRAM, "reports of every kind"):
        kinds = {file["file_type"] for file in passes("all-reports")["artifacts"]} - {"trace"}
        expect(len(kinds) == REPORTS, sorted(kinds))
        passes("answered")
    with steps.step(PROGRAM, "a retry after a failure of the runner's own"):
        expect(passes("again", state="failed")["failure_reason"] == "runner_system_failure")
        path = f"/projects/{project}/pipelines/{pipeline}/jobs?include_retried=true&per_page=100"
        expect([job["name"] for job in server.api("GET", path)].count("again") == 2)
    with steps.step(PROGRAM, "tokens do not show in a log"):
        passes("hidden", "<[MASKED]> <[MASKED]> <http://gitlab-ci-token:[MASKED]@")


def interrupted(steps: Steps, server: Server) -> None:
    with steps.step(PROGRAM, "a newer commit ends an interruptible job: canceling, after_script, canceled"):
        project = server.project("files")
        first = server.pipeline(project, server.push("files", {"n": "1"}, branch="interrupted"))
        look = lambda: server.jobs(project, first)["interrupted"]  # noqa: E731
        until(lambda: "started" in server.trace(project, look()), "the job starts", 60)
        server.push("files", {"n": "2"}, branch="interrupted")
        job = server.job(project, first, "interrupted")
        expect(job["status"] == "canceled", job)
        expect("after as canceled" in server.trace(project, job), server.trace(project, job))
