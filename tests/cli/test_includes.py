"""Files of other projects: from the server that `origin` is on, with a token, and from a copy on this disk."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

INCLUDING = "include: {project: group/shared, file: ci.yml, ref: v1}\nuses:\n  extends: .shared\n"
SHARED = ".shared:\n  script: echo from the other project\n"


class GitLab(BaseHTTPRequestHandler):
    """A server with one private file, and another that it sends its visitors elsewhere for."""

    seen: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers.get("PRIVATE-TOKEN")))
        if self.path.startswith("/elsewhere"):
            self.answer(200, SHARED)
        elif self.headers.get("PRIVATE-TOKEN") != "a-token":
            self.answer(404, "404 Project Not Found")
        elif "moved.yml" in self.path:
            self.answer(302, "", Location=f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        else:
            self.answer(200, SHARED)

    def answer(self, status: int, text: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def server(repository):
    """What the server was asked: paths, and the tokens that came with them."""
    GitLab.seen = []
    listening = ThreadingHTTPServer(("127.0.0.1", 0), GitLab)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    repository.git("remote", "add", "origin", f"http://127.0.0.1:{listening.server_port}/group/app.git")
    yield GitLab.seen
    listening.shutdown()
    listening.server_close()


def test_a_private_project_needs_a_token(repository, server):
    repository.commit(ci=INCLUDING)
    said = repository.shipline("list", code=2)
    assert ".gitlab-ci.yml:1:10: error: Project `group/shared` not found or access denied!" in said
    assert "put a token into GITLAB_TOKEN" in said
    assert "--project group/shared=DIRECTORY" in said
    assert "echo from the other project" in repository.shipline("preview", GITLAB_TOKEN="a-token")
    assert "from the other project" in repository.shipline("run", GITLAB_TOKEN="a-token")


def test_a_token_goes_nowhere_but_to_the_servers_api(repository, server):
    repository.commit(ci=INCLUDING.replace("ci.yml", "moved.yml"))
    repository.shipline("lint", GITLAB_TOKEN="a-token")
    (asked, elsewhere) = server
    assert asked[1] == "a-token"
    assert elsewhere == ("/elsewhere", None)


def test_a_remote_file_that_is_not_there_is_told_as_gitlab_tells_it(repository, server):
    url = repository.git("remote", "get-url", "origin").replace("group/app.git", "ci/none.yml")
    repository.commit(ci=f"include: {url}\n")
    said = repository.shipline("run", code=2)
    assert (
        f".gitlab-ci.yml:1:10: error: Remote file `{url}` could not be fetched because of HTTP code `404` error!"
        in said
    )


def test_a_project_that_cannot_be_asked_for_may_be_given(repository, tmp_path):
    repository.git("remote", "add", "origin", "http://127.0.0.1:9/group/app.git")
    repository.commit(ci=INCLUDING)
    said = repository.shipline("lint", code=1)
    assert "could not be fetched" in said
    assert "hint: a copy of it on this disk will do: --project group/shared=DIRECTORY" in said
    copy = tmp_path / "copy of it"
    copy.mkdir()
    (copy / "ci.yml").write_text(SHARED)
    git = ["-C", str(copy)]
    repository.git(*git, "init", "-q")
    repository.git(*git, "add", "-A")
    repository.git(*git, "commit", "-q", "-m", "Shared")
    repository.git(*git, "tag", "v1")
    assert "uses" in repository.shipline("list", "--project", f"group/shared={copy}")
    place = copy.rename(tmp_path / "copy")
    assert "uses" in repository.shipline("list", SHIPLINE_PROJECTS=f"group/shared={place} group/more={place}")


def test_what_is_missing_of_a_project_is_named(repository, tmp_path):
    copy = tmp_path / "copy"
    (copy / "templates").mkdir(parents=True)
    (copy / "templates" / "tool.yml").write_text(
        "spec: {component: [sha]}\n---\ntool: {script: \"echo '$[[ component.sha ]]'\"}\n"
    )
    (copy / "ci.yml").write_text(SHARED)
    git = ["-C", str(copy)]
    repository.git(*git, "init", "-q")
    repository.git(*git, "add", "-A")
    repository.git(*git, "commit", "-q", "-m", "Shared")
    repository.git(*git, "tag", "1.2.0")
    sha = repository.git(*git, "rev-parse", "HEAD")

    def said(include, code=1):
        repository.write(".gitlab-ci.yml", f"include: {include}\njob: {{script: x}}\n")
        return repository.shipline("lint" if code else "preview", "--project", f"group/it={copy}", code=code)

    assert "Project `group/it` reference `v9` does not exist!" in said("{project: group/it, file: ci.yml, ref: v9}")
    assert "hint: did you mean `ci.yml`?" in said("{project: group/it, file: cii.yml, ref: 1.2.0}")
    assert "its newest versions: 1.2.0" in said("{component: gitlab.com/group/it/tool@2}")
    assert "the project has no reference `main9`" in said("{component: gitlab.com/group/it/tool@main9}")
    assert "did you mean `templates/tool.yml`?" in said("{component: gitlab.com/group/it/tol@1.2.0}")
    assert f"echo '{sha}'" in said("{component: gitlab.com/group/it/tool@~latest}", code=0)


def test_templates_may_be_given(repository, tmp_path):
    repository.commit(ci="include: {template: Own/Thing.gitlab-ci.yml}\nuses:\n  extends: .shared\n")
    (tmp_path / "templates" / "Own").mkdir(parents=True)
    (tmp_path / "templates" / "Own" / "Thing.gitlab-ci.yml").write_text(SHARED)
    assert "uses" in repository.shipline("list", SHIPLINE_TEMPLATES=str(tmp_path / "templates"))
    assert "--templates DIRECTORY" in repository.shipline("list", "--offline", code=2)
