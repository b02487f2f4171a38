"""glab's commands for pipelines, jobs, triggers and schedules."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from typing import TYPE_CHECKING, Any

from conformance_server import ENDED, Server
from conformance_steps import Steps, expect, until

if TYPE_CHECKING:
    from conformance_glab import Glab

CREATED = re.compile(r"Created pipeline \((?:id|ID): (\d+) \)")


def try_pipelines(steps: Steps, glab: Glab, server: Server) -> None:
    project = server.project("app")
    sha = glab.git("rev-parse", "HEAD").strip()
    first = server.pipeline(project, sha)
    ended(server, project, first)
    looking(steps, glab, server, project, first)
    files(steps, glab, server, project)
    running(steps, glab, server, project)
    deleting(steps, glab, server, project)


def ended(server: Server, project: int, pipeline: int) -> dict[str, Any]:
    """The pipeline once nothing of it runs any more."""
    path = f"/projects/{project}/pipelines/{pipeline}"

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = server.api("GET", path)
        return found if found["status"] in (*ENDED, "manual") else None

    found = until(look, f"pipeline {pipeline} ends", 120)
    assert found is not None
    return found


def made(said: str) -> int:
    found = CREATED.search(said)
    expect(found is not None, said)
    assert found is not None
    return int(found[1])


def looking(steps: Steps, glab: Glab, server: Server, project: int, first: int) -> None:
    with steps.step("glab", "ci list"):
        said = glab("ci", "list")
        expect(re.search(rf"\(success\) • #{first}\s+\(#1\)\s+main", said), said)
    with steps.step("glab", "ci list, filtered, as JSON"):
        found = glab.json("ci", "list", "--status", "success", "--ref", "main", "--output", "json")
        expect([one["id"] for one in found] == [first], found)
        expect("No Pipelines" in glab("ci", "list", "--status", "failed", "--username", "root"))
    with steps.step("glab", "ci status"):
        said = glab("ci", "status")
        expect("Pipeline state: success" in said and "(manual)" in said and "build-job" in said, said)
    with steps.step("glab", "ci status --compact --branch"):
        said = glab("ci", "status", "--compact", "--branch", "main")
        expect("(success) • build-job [build]" in said, said)
    with steps.step("glab", "ci get"):
        said = glab("ci", "get", "--with-job-details", "--with-variables")
        expect(f"id:\t{first}" in said and "source:\tpush" in said and "user:\troot" in said, said)
        expect("No variables found" in said and "build-job\tsuccess" in said, said)
    with steps.step("glab", "ci get as JSON"):
        found = glab.json("ci", "get", "--output", "json")
        names = sorted(job["name"] for job in found["jobs"])
        expect(found["id"] == first and names == ["build-job", "deploy-job", "unit-test"], found)
        expect(found["detailed_status"]["text"] == "passed" and found["duration"] >= 0, found)
    with steps.step("glab", "ci trace of a job by its name and by its number"):
        said = glab("ci", "trace", "build-job")
        expect("built red" in said and "Job succeeded" in said, said)
        job = server.jobs(project, first)["unit-test"]
        expect("Job succeeded" in glab("ci", "trace", str(job["id"])))
    with steps.step("glab", "ci view in a terminal"):
        seen = on_screen(glab, ["ci", "view"], "build-job")
        expect(f"Pipeline #{first}" in seen and "unit-test" in seen, seen)
    with steps.step("glab", "ci lint"):
        expect("CI/CD YAML is valid!" in glab("ci", "lint"))
        expect("CI/CD YAML is valid!" in glab("ci", "lint", "--dry-run", "--include-jobs", "--ref", "main"))
    with steps.step("glab", "ci lint of what is wrong"):
        (glab.folder / "wrong.yml").write_text("job:\n  stage: nowhere\n  script: [echo]\n")
        said = glab.refused("ci", "lint", "wrong.yml")
        expect("is invalid" in said and "chosen stage nowhere does not exist" in said, said)
        (glab.folder / "wrong.yml").unlink()
    with steps.step("glab", "ci config compile"):
        said = glab("ci", "config", "compile")
        expect("build-job:" in said and "COLOUR: red" in said, said)


def files(steps: Steps, glab: Glab, server: Server, project: int) -> None:
    with steps.step("glab", "job artifact"):
        target = glab.home / "artifacts"
        glab("job", "artifact", "main", "build-job", "--path", str(target))
        expect((target / "out" / "colour.txt").read_text() == "red\n")
    with steps.step("glab", "ci artifact of a job that is not there"):
        expect("404" in glab.refused("ci", "artifact", "main", "no-job", "--path", str(glab.home / "nothing")))


def running(steps: Steps, glab: Glab, server: Server, project: int) -> None:
    with steps.step("glab", "ci run with variables and a file"):
        (glab.home / "config.txt").write_text("a file of settings")
        words = ["--variables-env", "COLOUR:blue", "--variables-file", f"CONFIG:{glab.home}/config.txt"]
        number = made(glab("ci", "run", "--branch", "main", *words))
        expect(ended(server, project, number)["source"] == "api")
        job = server.job(project, number, "file-test", "success")
        expect("read a file of settings" in server.trace(project, job))
        expect("COLOUR:\tblue" in glab("ci", "get", "--pipeline-id", str(number), "--with-variables"))
    with steps.step("glab", "ci run with variables of a JSON file"):
        (glab.home / "variables.json").write_text('[{"key": "COLOUR", "value": "green"}]')
        number = made(glab("ci", "run", "--variables-from", str(glab.home / "variables.json")))
        ended(server, project, number)
        expect("built green" in glab("ci", "trace", "build-job", "--pipeline-id", str(number)))
    with steps.step("glab", "ci run of a branch that is not there"):
        expect("Reference not found" in glab.refused("ci", "run", "--branch", "nowhere"))
    with steps.step("glab", "ci trigger plays a manual job"):
        said = glab("ci", "trigger", "deploy-job")
        expect("Triggered job" in said, said)
        job = server.job(project, number, "deploy-job", "success")
        expect("deployed" in server.trace(project, job))
    with steps.step("glab", "ci retry"):
        number = made(glab("ci", "run", "--variables-env", "FAIL:yes"))
        before = server.job(project, number, "unit-test", "failed")
        expect(ended(server, project, number)["status"] == "failed")
        said = glab("ci", "retry", "unit-test", "--pipeline-id", str(number))
        expect("Retried job" in said and str(before["id"]) not in said.split("status")[0], said)
        until(lambda: server.jobs(project, number)["unit-test"]["id"] != before["id"], "a new job", 10)
        server.job(project, number, "unit-test", "failed")
    with steps.step("glab", "ci cancel job"):
        number = made(glab("ci", "run", "--variables-env", "SLOW:yes"))
        job = server.job(project, number, "slow-test", "running")
        expect("is canceled successfully" in glab("ci", "cancel", "job", str(job["id"])))
        server.job(project, number, "slow-test", "canceled")
    with steps.step("glab", "ci cancel pipeline"):
        number = made(glab("ci", "run", "--variables-env", "SLOW:yes"))
        server.job(project, number, "slow-test", "running")
        expect("will be canceled" in glab("ci", "cancel", "pipeline", str(number), "--dry-run"))
        expect("is canceled successfully" in glab("ci", "cancel", "pipeline", str(number)))
        expect(ended(server, project, number)["status"] == "canceled")
    with steps.step("glab", "ci run-trig with a trigger token"):
        token = glab.json("api", "projects/:id/triggers", "--field", "description=From outside")["token"]
        number = made(glab("ci", "run-trig", "--token", token, "--branch", "main", "--variables", "COLOUR:pink"))
        expect(ended(server, project, number)["source"] == "trigger")
        expect("built pink" in glab("ci", "trace", "build-job", "--pipeline-id", str(number)))
        expect("404 Not Found" in glab.refused("ci", "run-trig", "--token", "wrong", "--branch", "main"))


def deleting(steps: Steps, glab: Glab, server: Server, project: int) -> None:
    numbers = lambda: [one["id"] for one in server.api("GET", f"/projects/{project}/pipelines")]  # noqa: E731
    with steps.step("glab", "ci delete"):
        number = made(glab("ci", "run"))
        ended(server, project, number)
        expect("will be deleted" in glab("ci", "delete", str(number), "--dry-run") and number in numbers())
        expect("deleted successfully" in glab("ci", "delete", str(number)) and number not in numbers())
    with steps.step("glab", "ci delete by status and by source"):
        glab("ci", "delete", "--status", "canceled")
        left = server.api("GET", f"/projects/{project}/pipelines")
        expect(not [one for one in left if one["status"] == "canceled"], left)
        before = numbers()
        glab("ci", "delete", "--source", "trigger")
        expect(len(numbers()) == len(before) - 1, numbers())
        glab("ci", "delete", "--older-than", "24h")
        expect(len(numbers()) == len(before) - 1, numbers())


def try_schedules(steps: Steps, glab: Glab, server: Server) -> None:
    path = f"/projects/{server.project('app')}/pipeline_schedules"
    with steps.step("glab", "schedule create"):
        words = ["--ref", "main", "--cron", "0 3 * * *", "--variable", "COLOUR:night", "--variable", "OLD:yes"]
        expect("Created schedule" in glab("schedule", "create", "--description", "nightly", *words))
    number = str(server.api("GET", path)[0]["id"])
    with steps.step("glab", "schedule list"):
        said = glab("schedule", "list")
        expect(re.search(rf"{number}\s+nightly\s+0 3 \* \* \*\s+root\s+true", said), said)
    with steps.step("glab", "schedule update, with its variables"):
        words = ["--create-variable", "NEW:yes", "--update-variable", "COLOUR:dark", "--delete-variable", "OLD"]
        glab("schedule", "update", number, "--cron", "5 3 * * *", "--active=false", *words)
        found = server.api("GET", f"{path}/{number}")
        values = {one["key"]: one["value"] for one in found["variables"]}
        expect(values == {"COLOUR": "dark", "NEW": "yes"}, values)
        expect(found["cron"] == "5 3 * * *" and found["active"] is False, found)
    with steps.step("glab", "schedule run"):
        glab("schedule", "update", number, "--active")
        expect("Started schedule" in glab("schedule", "run", number))
        look = lambda: glab.json("ci", "list", "--source", "schedule", "--output", "json")  # noqa: E731
        made_by_it = until(look, "the schedule's pipeline", 30)
        expect(ended(server, made_by_it[0]["project_id"], made_by_it[0]["id"])["status"] == "success")
    with steps.step("glab", "schedule delete"):
        expect("Deleted schedule" in glab("schedule", "delete", number))
        expect("404 Not Found" in glab.refused("schedule", "delete", number))


def on_screen(glab: Glab, words: list[str], awaited: str, seconds: float = 30) -> str:
    """What a program shows in a terminal of its own once a text is there; Ctrl-Q then ends it."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(glab.folder)
        os.execve(glab.program, [str(glab.program), *words], glab.environment | {"TERM": "xterm"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    seen, end, told = b"", time.monotonic() + seconds, False
    try:
        while time.monotonic() < end:
            if not told and awaited.encode() in seen:
                told = True
                os.write(terminal, b"\x11")
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    seen += os.read(terminal, 65536)
                except OSError:  # the program has gone
                    break
        else:
            os.kill(child, signal.SIGKILL)
    finally:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(terminal)
    text = seen.decode(errors="replace")
    expect(told and status == 0, text)
    return text
