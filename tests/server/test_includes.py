"""include: of other projects, of components and of the web, as far as the pusher may read them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import gitlab
import pytest
from tests.server.conftest import Repository, Running, free_port

from shipline.language.loader import NotLoaded
from shipline.server.permissions import REPORTER
from shipline.server.remote_files import RemoteFiles
from shipline.server.settings import Settings


@pytest.fixture
def client(server: Running) -> gitlab.Gitlab:
    return gitlab.Gitlab(server.url, private_token=server.token)


def shared(server: Running, tmp_path: Any, path: str, files: dict[str, str]) -> Repository:
    """A project with files for others, and a tag."""
    clone = Repository(tmp_path / path.replace("/", "-"), server.remote(path))
    clone.commit(files)
    clone.git("tag", "1.2.0")
    clone.push("origin", "main", "1.2.0")
    return clone


def test_files_of_another_project_at_a_ref(server, repository, tmp_path, name):
    library = f"root/lib-{name}"
    other = shared(server, tmp_path, library, {"ci/jobs.yml": "shared-job:\n  script: [echo one]\n"})
    other.commit({"ci/jobs.yml": "newer-job:\n  script: [echo two]\n"})
    other.push("origin", "main")
    include = f"include:\n  - project: {library}\n    ref: '1.2.0'\n    file: /ci/jobs.yml\n"
    repository.commit({".gitlab-ci.yml": include})
    assert "Pipeline #" in repository.push()
    jobs = [job["name"] for job in latest_jobs(server, f"root/{name}")]
    assert jobs == ["shared-job"]


def test_a_component_of_this_server(server, repository, tmp_path, name):
    library = f"root/lib-{name}"
    template = "spec:\n  inputs:\n    what: {}\n---\n$[[ inputs.what ]]-job:\n  script: [echo hello]\n"
    shared(server, tmp_path, library, {"templates/greet.yml": template})
    host = server.url.removeprefix("http://")
    include = f"include:\n  - component: {host}/{library}/greet@1.2.0\n    inputs: {{what: nice}}\n"
    repository.commit({".gitlab-ci.yml": include})
    assert "Pipeline #" in repository.push()
    assert [job["name"] for job in latest_jobs(server, f"root/{name}")] == ["nice-job"]
    repository.commit({".gitlab-ci.yml": include.replace(host, "gitlab.example.com")})
    assert "is not on this server" in repository.push()


def test_what_the_pusher_may_not_read_is_not_there(server, client, repository, tmp_path, name):
    library = f"root/lib-{name}"
    shared(server, tmp_path, library, {"jobs.yml": "secret-job:\n  script: [echo one]\n"})

    def make(instance: Any) -> tuple[int, str]:
        number = instance.accounts.create(f"p{abs(hash(name)) % 10**8}", None, admin=False)
        return number, instance.accounts.create_token(number, "t", ["api", "write_repository"])[1]

    number, token = server.inside(make)
    user = server.inside(lambda instance: instance.accounts.user(number)).username
    place = server.url.partition("://")[2]
    repository.git("remote", "set-url", "origin", f"http://{user}:{token}@{place}/{user}/app.git")
    repository.commit({".gitlab-ci.yml": f"include:\n  - project: {library}\n    file: jobs.yml\n"})
    assert "not found or access denied" in repository.push()
    client.projects.get(library).members.create({"user_id": number, "access_level": REPORTER})
    repository.commit({})
    assert "Pipeline #" in repository.push()


class Web(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/jobs.yml")
            self.end_headers()
            return
        self.send_response(200 if self.path == "/jobs.yml" else 404)
        self.end_headers()
        self.wfile.write(b"web-job:\n  script: [echo web]\n")

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def web() -> Iterator[str]:
    served = HTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


def test_the_web_but_not_this_machine(server, repository, web):
    repository.commit({".gitlab-ci.yml": f"include:\n  - remote: {web}/jobs.yml\n"})
    assert "requests to the local network are not allowed" in repository.push()
    allowed = RemoteFiles(local=True)
    assert allowed.fetch(f"{web}/moved").startswith(b"web-job")
    with pytest.raises(NotLoaded, match="HTTP code `404`"):
        allowed.fetch(f"{web}/nothing")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "10.1.2.3",
        "192.168.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
    ],
)
def test_no_address_of_the_inside_is_asked(host):
    with pytest.raises(NotLoaded, match="local network"):
        RemoteFiles().fetch(f"http://{host}:{free_port()}/")


def test_only_http_is_spoken():
    for url in ("file:///etc/passwd", "ftp://example.com/x", "http://", "http://example.com:0/"):
        with pytest.raises(NotLoaded, match="valid address"):
            RemoteFiles().fetch(url)


def test_the_setting_opens_the_local_network(tmp_path, web):
    own = Running(Settings(home=tmp_path / "home", port=free_port(), allow_local_requests=True))
    clone = Repository(tmp_path / "clone", own.remote("root/app"))
    clone.commit({".gitlab-ci.yml": f"include:\n  - remote: {web}/jobs.yml\n"})
    assert "Pipeline #" in clone.push()
    own.stop()


def latest_jobs(server: Running, path: str) -> list[dict[str, Any]]:
    project = path.replace("/", "%2F")
    pipeline = server.api("GET", f"/projects/{project}/pipelines/latest").json()
    return server.api("GET", f"/projects/{project}/pipelines/{pipeline['id']}/jobs").json()
