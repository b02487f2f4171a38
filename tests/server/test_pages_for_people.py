"""The pages: signing in, looking, pressing buttons, as a browser does it."""

from __future__ import annotations

import re

import pytest
import requests
from tests.server.conftest import until

PASSWORD = "correct horse battery"


class Browser:
    """A browser of the simple kind: it keeps cookies, follows redirects and sends the forms that it was shown."""

    def __init__(self, server) -> None:
        self.server = server
        self.session = requests.Session()
        self.page = ""

    def open(self, path: str) -> str:
        return self._shown(self.session.get(self.server.url + path, timeout=20))

    def send(self, path: str, **fields: str) -> str:
        """Sends a form of the page that is shown."""
        token = re.search(r'name="authenticity_token" value="(\w+)"', self.page)
        assert (token and f'action="{path}"' in self.page) or path == self.path, self.page
        fields = {"authenticity_token": token[1], **fields}
        return self._shown(self.session.post(self.server.url + path, data=fields, timeout=20))

    def _shown(self, answer: requests.Response) -> str:
        self.status, self.page = answer.status_code, answer.text
        self.path = answer.url.removeprefix(self.server.url).partition("?")[0]
        return self.page


@pytest.fixture
def browser(server):
    """Root's, signed in."""
    server.api("PUT", "/users/1", json={"password": PASSWORD})
    made = Browser(server)
    made.open("/")
    assert made.path == "/users/sign_in"
    made.send("/users/sign_in", login="root", password=PASSWORD, to="/")
    assert made.path == "/" and "Projects" in made.page
    return made


def test_a_wrong_password_is_refused_and_signing_out_ends_the_session(server, browser):
    stranger = Browser(server)
    stranger.open("/users/sign_in")
    for name in ("root", "nobody"):
        stranger.send("/users/sign_in", login=name, password="wrong")
        assert stranger.status == 401 and "Invalid login or password" in stranger.page
    cookie = browser.session.cookies.get("_shipline_session")
    browser.send("/users/sign_out")
    browser.session.cookies.set("_shipline_session", cookie)
    browser.open("/")
    assert browser.path == "/users/sign_in", "the old cookie is of no use"


def test_a_new_password_signs_out_whoever_had_the_old_one(server, browser):
    server.api("PUT", "/users/1", json={"password": "another horse"})
    browser.open("/")
    assert browser.path == "/users/sign_in"


def test_a_pipeline_is_looked_at_and_its_manual_job_is_run(server, browser, project, repository):
    repository.commit({".gitlab-ci.yml": "a:\n  script: [echo]\nb:\n  when: manual\n  script: [echo]\n"})
    repository.push()
    assert project.full_path in browser.open("/")
    browser.open(f"/{project.full_path}")
    assert browser.path == f"/{project.full_path}/-/pipelines"
    address = re.findall(r'href="(\S+/-/pipelines/\d+)"', browser.page)[0]
    browser.open(address)
    (run,) = re.findall(r'action="(\S+/play)"', browser.page)
    browser.send(run, back=address.rpartition("/")[2])
    assert browser.path == address and "/play" not in browser.page
    number = int(run.split("/")[-2])
    assert server.inside(lambda i: i.store.job(number)).status == "pending"
    browser.send(f"{address}/cancel")
    assert "canceled" in browser.page


def test_what_is_wrong_or_dubious_is_on_the_pipelines_page(server, browser, project, repository):
    repository.commit({".gitlab-ci.yml": "build:\n  scripts: [make]\n"})
    repository.push()
    [failed, *_] = server.api("GET", f"/projects/{project.id}/pipelines").json()
    assert ".gitlab-ci.yml:" in browser.open(f"/{project.full_path}/-/pipelines/{failed['id']}")
    repository.commit({".gitlab-ci.yml": "build:\n  script: [make]\n  dast_configuration: {site_profile: <b>}\n"})
    repository.push()
    [newest, *_] = server.api("GET", f"/projects/{project.id}/pipelines").json()
    page = browser.open(f"/{project.full_path}/-/pipelines/{newest['id']}")
    assert "`dast_configuration` has no effect" in page and "1 warning<" in page


def test_runner_caches_are_cleared_with_a_button(server, browser, project):
    browser.open(f"/{project.full_path}/-/pipelines")
    page = browser.send(f"/{project.full_path}/-/settings/ci_cd/reset_cache")
    assert "find none of the project&#39;s caches" in page or "find none of the project's caches" in page


def test_a_pipeline_is_run_with_variables(server, browser, project):
    place = f"/{project.full_path}/-/pipelines"
    browser.open(place)
    browser.send(place, ref="main", variables="COLOUR=blue\nSIZE=a=b\n")
    record = server.inside(lambda i: i.store.pipelines(project.id)[0])
    assert browser.path == f"{place}/{record.id}"
    assert record.source == "web" and [(v.key, v.value) for v in record.variables] == [
        ("COLOUR", "blue"),
        ("SIZE", "a=b"),
    ]
    browser.open(place)
    browser.send(place, ref="nothing")
    assert browser.status == 400 and "Reference not found" in browser.page


def test_a_log_goes_on_while_it_is_looked_at(server, browser, project, agent):
    job = agent.job()
    first = b"\x1b[32;1m$ echo <b>\x1b[0;m\n"
    agent.trace(job, 0, first)
    page = browser.open(f"/{project.full_path}/-/jobs/{job['id']}")
    assert "$ echo &lt;b&gt;\n" in page
    (events,) = re.findall(r'data-follow="([^"]+)"', page)
    answer = browser.session.get(server.url + events, stream=True, timeout=20)
    agent.trace(job, len(first), b"more\n")
    lines = answer.iter_lines(chunk_size=1, decode_unicode=True)
    assert [next(lines), next(lines)] == ["event: log", 'data: "more\\n"']
    agent.update(job, "success")
    assert 'data: "success"' in [next(lines) for _ in range(4)]


def test_nothing_is_done_for_another_site_or_without_a_form_of_ours(server, browser, project):
    pipeline = server.inside(lambda i: i.store.pipelines(project.id)[0])
    address = f"{server.url}/{project.full_path}/-/pipelines/{pipeline.id}/cancel"
    browser.open(f"/{project.full_path}/-/pipelines/{pipeline.id}")
    token = re.search(r'name="authenticity_token" value="(\w+)"', browser.page)[1]
    for fields, headers in (
        ({}, {}),
        ({"authenticity_token": "0" * 64}, {}),
        ({"authenticity_token": token}, {"Origin": "http://evil.example"}),
    ):
        answer = browser.session.post(address, data=fields, headers=headers, timeout=20)
        assert answer.status_code == 422
    assert server.inside(lambda i: i.store.pipeline(pipeline.id)).status != "canceled"
    answer = browser.session.get(server.url + "/users/sign_in?to=//evil.example", timeout=20, allow_redirects=False)
    assert answer.headers["Location"] == "/"


def test_what_one_may_not_see_is_not_there(server, browser, project):
    name = f"visitor-{project.id}"
    server.person(name, PASSWORD)
    visitor = Browser(server)
    visitor.open("/")
    visitor.send("/users/sign_in", login=name, password=PASSWORD, to="/")
    assert project.full_path not in visitor.page
    visitor.open(f"/{project.full_path}/-/pipelines")
    assert visitor.status == 404


def test_a_token_is_made_and_revoked(server, browser):
    place = "/-/user_settings/personal_access_tokens"
    browser.open(place)
    browser.send(place, name="mine", **{"scope-api": "1"})
    token = re.search(r'id="new-token">([^<]+)<', browser.page)[1]
    assert server.api("GET", "/user", token=token).json()["username"] == "root"
    number = re.search(r"<td>mine</td>.*?personal_access_tokens/(\d+)/revoke", browser.page, re.DOTALL)[1]
    browser.send(f"{place}/{number}/revoke")
    until(lambda: server.api("GET", "/user", token=token).status_code == 401)


def test_other_interfaces_answer_as_before(server):
    assert server.api("GET", "/nothing").json() == {"error": "404 Not Found"}
    assert server.api("POST", "/nothing").status_code == 404
    page = requests.get(server.url + "/users/sign_in", timeout=10)
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert requests.get(server.url + "/-/assets/follow.js", timeout=10).status_code == 200
