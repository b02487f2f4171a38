"""A server that runs in a thread of this process, with a user and a token; and git and runners for it."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from shipline.server.instance import Instance
from shipline.server.permissions import SCOPES
from shipline.server.serving import Serving, listening
from shipline.server.settings import Settings

PIPELINE = """\
stages: [build, deploy]
build-job:
  stage: build
  tags: [kubernetes]
  script: [echo building]
deploy-job:
  stage: deploy
  when: manual
  script: [echo deploying]
"""
PASSWORD = "correct horse battery"


class Running:
    """The running server. `token` is root's, with all scopes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = settings.url
        self.token = ""
        started = threading.Event()

        def opened(_: str | None) -> None:
            assert self.serving.instance is not None
            self.token = self.serving.instance.accounts.create_token(1, "tests", SCOPES)[1]
            started.set()

        self.listener = listening(settings)
        self.serving = Serving(settings, started=opened)
        self.thread = threading.Thread(target=self.serving.run, kwargs={"sockets": [self.listener]}, daemon=True)
        self.thread.start()
        assert started.wait(30)

    def stop(self) -> None:
        self.serving.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()

    def inside(self, work: Callable[[Instance], Any]) -> Any:
        """Does something with the instance where the server does it: in the event loop's thread."""
        instance = self.serving.instance
        assert instance is not None
        done, result = threading.Event(), []

        def run() -> None:
            result.append(work(instance))
            done.set()

        instance.loop.call_soon_threadsafe(run)
        assert done.wait(10)
        return result[0]

    def api(self, method: str, path: str, token: str | None = None, **options: Any) -> requests.Response:
        headers = {"PRIVATE-TOKEN": self.token if token is None else token} | options.pop("headers", {})
        return requests.request(method, f"{self.url}/api/v4{path}", headers=headers, timeout=60, **options)

    def person(self, name: str, password: str = "correct horse battery") -> int:
        """Somebody who may sign in; gives the user's number."""
        about = {"username": name, "name": name, "email": f"{name}@example.com", "skip_confirmation": True}
        made = self.api("POST", "/users", json=about | {"password": password})
        assert made.status_code == 201, made.text
        return int(made.json()["id"])

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """A call of the runner API."""
        return requests.request(method, f"{self.url}/api/v4{path}", json=body, timeout=60, **options)

    def runner(self, **settings: Any) -> Agent:
        number, token = self.inside(lambda instance: instance.runners.create(prefix="glrt-", **settings))
        return Agent(self, number, token)

    def remote(self, path: str) -> str:
        scheme, _, place = self.url.partition("://")
        return f"{scheme}://root:{self.token}@{place}/{path}.git"


class Agent:
    """A runner as the server sees one: HTTP calls."""

    def __init__(self, server: Running, number: int, token: str) -> None:
        self.server = server
        self.number = number
        self.token = token
        known = ("cancel_gracefully", "return_exit_code", "fallback_cache_keys")
        self.info: dict[str, Any] = {"features": dict.fromkeys(known, True)}

    def request(self, **more: Any) -> requests.Response:
        body = {"token": self.token, "system_id": "s_0123456789ab", "info": self.info} | more
        return self.server.call("POST", "/jobs/request", body)

    def job(self) -> dict[str, Any]:
        answer = self.request()
        assert answer.status_code == 201, (answer.status_code, answer.text)
        return answer.json()

    def update(self, job: dict[str, Any], state: str, **more: Any) -> requests.Response:
        return self.server.call("PUT", f"/jobs/{job['id']}", {"token": job["token"], "state": state, **more})

    def trace(self, job: dict[str, Any], start: int, data: bytes) -> requests.Response:
        headers = {"JOB-TOKEN": job["token"], "Content-Range": f"{start}-{start + len(data) - 1}"}
        url = f"{self.server.url}/api/v4/jobs/{job['id']}/trace"
        return requests.patch(url, data=data, headers=headers, timeout=60)


class Repository:
    """A person's clone."""

    def __init__(self, folder: Path, remote: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", remote)

    def git(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "protocol.version=2"]
        run = subprocess.run(["git", *who, *words], cwd=self.folder, capture_output=True, text=True)
        assert not check or run.returncode == 0, run.stderr
        return run

    def commit(self, files: dict[str, str], message: str = "A commit") -> str:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").stdout.strip()

    def push(self, *words: str, check: bool = True) -> str:
        """Pushes; gives what git shows the person."""
        return self.git("push", *(words or ("origin", "HEAD")), check=check).stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("server")
    running = Running(Settings(home=home, port=free_port(), long_poll=2.0))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A PostgreSQL server: its URL up to the name of the database."""
    from tests.server.postgresql import postgresql as started

    with started(free_port()) as url:
        yield url


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for this test's own project."""
    return request.node.name.replace("[", "-").replace("]", "")[:60]


@pytest.fixture
def repository(server: Running, tmp_path: Path, name: str) -> Repository:
    """A clone with one commit that nobody has pushed yet."""
    made = Repository(tmp_path / "clone", server.remote(f"root/{name}"))
    made.commit({".gitlab-ci.yml": PIPELINE, "README.md": "hello\n"})
    return made


@pytest.fixture
def project(server: Running, repository: Repository, name: str) -> Any:
    """The project, pushed, with one pipeline."""
    repository.push()
    return server.inside(lambda instance: instance.projects.find(f"root/{name}"))


@pytest.fixture
def agent(server: Running, project: Any) -> Agent:
    """A runner for this test's project alone."""
    return server.runner(kind="project_type", projects=[project.id], tags=["kubernetes"])


def until(check: Callable[[], Any], seconds: float = 10) -> Any:
    """The first true result of a check."""
    deadline = time.monotonic() + seconds
    while not (result := check()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return result


def settings_with(settings: Settings, **changes: Any) -> Settings:
    return msgspec.structs.replace(settings, **changes)
