"""GitLab's command line client as its users have it: signed in over plain HTTP, in a clone of a project.

It is asked for what people do with pipelines; each step looks at what it printed, or at what the server then has.
Jobs are run by `shipline runner` in shells.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

from conformance_glab_pipelines import try_pipelines, try_schedules
from conformance_glab_project import try_merge_requests, try_releases, try_tokens, try_variables
from conformance_server import SHIPLINE, Server
from conformance_steps import Steps, expect, until

CONFIGURATION = (Path(__file__).parent / "conformance_runner" / "glab.gitlab-ci.yml").read_text()
HOST = "127.0.0.1"


class Glab:
    """The program with a home and a configuration of its own, and a folder that it is called in."""

    def __init__(self, program: Path, server: Server, home: Path) -> None:
        self.program, self.server, self.home = program, server, home
        self.folder = home
        home.mkdir()
        given = ("GITLAB_TOKEN", "GITLAB_HOST", "GL_HOST", "CI_JOB_TOKEN")
        kept = {name: value for name, value in os.environ.items() if name not in given}
        self.environment = kept | {
            "HOME": str(home),
            "GLAB_CONFIG_DIR": str(home / "glab"),
            "NO_PROMPT": "1",
            "NO_COLOR": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        self.git("config", "--global", "user.name", "Ada")
        self.git("config", "--global", "user.email", "ada@example.com")
        self.git("config", "--global", "credential.helper", "store")
        place = server.url.replace("http://", f"http://root:{quote(server.token)}@").replace(
            f":{server.port}", f"%3a{server.port}"
        )
        (home / ".git-credentials").write_text(place + "\n")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command, with what it printed; it is asked nothing."""
        return subprocess.run(
            [str(self.program), *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def __call__(self, *words: str) -> str:
        """What a command says; a failure of it fails the step."""
        done = self.run(*words)
        expect(done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def json(self, *words: str) -> Any:
        """What a command prints, as values."""
        done = self.run(*words)
        expect(done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def refused(self, *words: str) -> str:
        """What a command says that must fail."""
        done = self.run(*words)
        expect(done.returncode != 0, f"{' '.join(words)} did not fail: {done.stdout}")
        return done.stdout + done.stderr

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60
        )
        expect(done.returncode == 0, f"git {' '.join(words)}: {done.stderr}")
        return done.stdout

    def push(self, files: dict[str, str], branch: str = "main") -> str:
        """Commits files to a branch of the clone and pushes it; gives the commit."""
        for path, text in files.items():
            (self.folder / path).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", f"Changes {', '.join(files)}")
        self.git("push", "-q", "-u", "origin", f"HEAD:{branch}")
        return self.git("rev-parse", "HEAD").strip()


def try_glab(steps: Steps, program: Path, home: Path) -> None:
    """Every step of it, on a server of its own that one runner serves."""
    server = Server(home / "home")
    runner = None
    try:
        runner = serve(server, home / "runner")
        glab = Glab(program, server, home / "glab")
        sign_in(steps, glab)
        repositories(steps, glab)
        glab.push({".gitlab-ci.yml": CONFIGURATION})
        try_pipelines(steps, glab, server)
        try_schedules(steps, glab, server)
        try_variables(steps, glab, server)
        try_merge_requests(steps, glab, server)
        try_releases(steps, glab, server)
        try_tokens(steps, glab, server)
        calls(steps, glab, server)
    finally:
        if runner is not None:
            runner.terminate()
            runner.wait()
        server.close()


def serve(server: Server, home: Path) -> subprocess.Popen[bytes]:
    """Shipline's own runner, in shells."""
    home.mkdir()
    token = server.api("POST", "/user/runners", runner_type="instance_type", run_untagged=True)["token"]
    config = home / "config.toml"
    config.write_text(
        f'concurrent = 4\n[[runners]]\n  name = "shells"\n  url = "{server.url}"\n  token = "{token}"\n'
        '  executor = "shell"\n'
    )
    environment = os.environ | {"SHIPLINE_HOME": str(home / "state"), "HOME": str(home)}
    with (home / "runner.log").open("wb") as log:
        command = [SHIPLINE, "runner", "run", "--config", str(config)]
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def sign_in(steps: Steps, glab: Glab) -> None:
    server = glab.server
    with steps.step("glab", "auth login over plain HTTP, a port of its own"):
        address = server.url.removeprefix("http://")
        words = ["--hostname", HOST, "--api-host", address, "--api-protocol", "http", "--git-protocol", "http"]
        glab("auth", "login", *words, "--token", server.token)
        glab("config", "set", "-g", "host", HOST)
        glab("config", "set", "-g", "check_update", "false")
        expect(glab("config", "get", "api_host", "--host", HOST).strip() == address)
    with steps.step("glab", "auth status"):
        said = glab("auth", "status", "--hostname", HOST)
        expect(f"Logged in to {HOST} as root" in said and "Invalid token" not in said, said)
    with steps.step("glab", "auth status with a token that is wrong"):
        right = glab.environment
        glab.environment = right | {"GITLAB_TOKEN": "glpat-aaaaaaaaaaaaaaaaaaaa"}
        try:
            expect("401 Unauthorized" in glab.refused("auth", "status", "--hostname", HOST))
        finally:
            glab.environment = right


def repositories(steps: Steps, glab: Glab) -> None:
    server = glab.server
    with steps.step("glab", "repo create --readme"):
        outer = glab.home / "outer"
        outer.mkdir()
        glab.folder = outer
        glab.git("init", "-q", "-b", "main")
        words = ["--defaultBranch", "main", "--description", "An app", "--tag", "ci", "--readme"]
        said = glab("repo", "create", "root/app", *words)
        expect(f"Created repository Administrator / app on GitLab: {server.url}/root/app" in said, said)
        made = server.api("GET", "/projects/root%2Fapp")
        expect(made["topics"] == ["ci"] and made["description"] == "An app", made)
    with steps.step("glab", "repo clone"):
        glab.folder = glab.home
        glab("repo", "clone", "root/app")
        glab.folder = glab.home / "app"
        expect((glab.folder / "README.md").read_text().startswith("# app"))
    with steps.step("glab", "repo view"):
        said = glab("repo", "view")
        expect("Administrator / app" in said and "An app" in said, said)
    with steps.step("glab", "repo list --mine"):
        found = glab.json("repo", "list", "--mine", "--output", "json")
        expect([one["path_with_namespace"] for one in found] == ["root/app"], found)
    with steps.step("glab", "repo search"):
        expect("root/app" in glab("repo", "search", "--search", "app"))
    with steps.step("glab", "repo contributors"):
        expect("Administrator" in glab("repo", "contributors"))
    with steps.step("glab", "repo archive"):
        glab("repo", "archive", "root/app", str(glab.home / "archive"))
        expect((glab.home / "archive.zip").stat().st_size > 100)
    with steps.step("glab", "repo fork"):
        glab("repo", "fork", "root/app", "--clone=false", "--name", "copy", "--path", "copy")
        made = server.api("GET", "/projects/root%2Fcopy")
        expect(made["forked_from_project"]["path_with_namespace"] == "root/app", made)
        glab("repo", "delete", "root/copy", "--yes")
        gone = server.session.get(f"{server.url}/api/v4/projects/root%2Fcopy", timeout=30)
        expect(gone.status_code == 404, gone.text)


def calls(steps: Steps, glab: Glab, server: Server) -> None:
    with steps.step("glab", "api, with the project that the clone is of"):
        expect(glab.json("api", "projects/:id")["path_with_namespace"] == "root/app")
        expect(glab.json("api", "projects/:fullpath")["path_with_namespace"] == "root/app")
        expect(glab.json("api", "version")["version"])
    with steps.step("glab", "api --paginate"):
        printed = glab("api", "--paginate", "projects/:id/jobs?per_page=1")
        numbers = []
        while printed.strip():
            page, end = json.JSONDecoder().raw_decode(printed)
            numbers += [job["id"] for job in page]
            printed = printed[end:].lstrip()
        known = server.api("GET", f"/projects/{server.project('app')}/jobs?per_page=100")
        expect(numbers == [job["id"] for job in known] and len(numbers) > 5, numbers)
    with steps.step("glab", "api --method PUT and POST with fields"):
        glab("api", "--method", "PUT", "projects/:id", "--field", "description=Another")
        expect(server.api("GET", "/projects/root%2Fapp")["description"] == "Another")
        glab("api", "groups", "--field", "name=Other", "--field", "path=other")
        expect(server.api("GET", "/groups/other")["name"] == "Other")
    with steps.step("glab", "api: an error's text"):
        expect("404 Project Not Found" in glab.refused("api", "projects/nobody%2Fnothing"))
    with steps.step("glab", "a newer clone sees what was pushed"):
        until(lambda: glab.json("api", "projects/:id/repository/branches"), "branches are there", 10)
