"""Every call of the API by everybody who might make it, against a table of who may (data/permissions.txt)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from tests.server.conftest import Agent, Repository, Running, free_port

from shipline.server import api
from shipline.server import permissions as may
from shipline.server.http.forms import Field, fields
from shipline.server.settings import Settings

ROLES = {
    "guest": may.GUEST,
    "reporter": may.REPORTER,
    "developer": may.DEVELOPER,
    "maintainer": may.MAINTAINER,
    "owner": may.OWNER,
}
OPEN = (
    *("GET /projects", "GET /groups", "GET /users/{user_id}/projects", "POST /projects/{id}/webhook"),
    *("POST /projects/{id}/trigger/pipeline", "POST /projects/{id}/ref/{ref}/trigger/pipeline"),
)
"""Lists that show each caller what it may see, and calls that carry a token of their own."""
ABSENT = {"file_path": "nothing", "sha": "nothing", "format": ".zip"}
CONFIGURATION = "one:\n  script: [echo one]\ntwo:\n  script: [echo two]\n"


class Rule(NamedTuple):
    call: str
    least: str
    job: bool
    anonymous: int
    stranger: str
    denied: int


def rules() -> list[Rule]:
    found, section = [], {}
    for line in (Path(__file__).parent / "data" / "permissions.txt").read_text().splitlines():
        if line.startswith("["):
            section = dict(pair.split("=") for pair in line.strip("[]").split())
        elif line and not line.startswith("#"):
            found.append(
                Rule(
                    line,
                    section["least"],
                    section["job"] == "yes",
                    int(section["anonymous"]),
                    section["stranger"],
                    int(section.get("denied", 403)),
                )
            )
    return found


class Scene(NamedTuple):
    server: Running
    headers: dict[str, dict[str, str]]
    known: dict[str, str]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A private project in a group, members of each role, and tokens of jobs that run and that have ended."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), port=free_port(), requests_a_minute=10**9)
    server = Running(settings)
    group = server.api("POST", "/groups", json={"name": "Group", "path": "group"}).json()
    headers: dict[str, dict[str, str]] = {"anonymous": {}}

    def person(name: str, level: int | None) -> None:
        def make(instance: Any) -> str:
            number = instance.accounts.create(name, None, admin=False)
            if level:
                instance.groups.set_member(group["id"], number, level)
            return instance.accounts.create_token(number, "t", ["api", "write_repository"])[1]

        headers[name] = {"PRIVATE-TOKEN": server.inside(make)}

    for name, level in ROLES.items():
        person(name, level)
    person("stranger", None)
    owner = headers["owner"]["PRIVATE-TOKEN"]
    remote = f"http://owner:{owner}@127.0.0.1:{settings.port}/group/app.git"
    clone = Repository(tmp_path_factory.mktemp("clone") / "app", remote)
    clone.commit({".gitlab-ci.yml": CONFIGURATION})
    clone.push()
    project = server.api("GET", "/projects/group%2Fapp").json()["id"]
    agent = server.runner(kind="project_type", projects=[project])
    headers["job"] = {"JOB-TOKEN": job(agent, end=False)}
    headers["ended job"] = {"JOB-TOKEN": job(agent, end=True)}
    made = server.inside(lambda i: i.deploy_tokens.create(project, "d", "deploy", ["read_repository"], None))
    headers["deploy token"] = {"PRIVATE-TOKEN": made[1]}
    known = {"id": str(project), "group": "group", "runner": str(agent.number), "user": "999999"}
    yield Scene(server, headers, known)
    server.stop()


def job(agent: Agent, *, end: bool) -> str:
    taken = agent.job()
    if end:
        assert agent.update(taken, "success").status_code == 200
    return str(taken["token"])


def test_the_table_names_every_call():
    known = {rule.call for rule in rules()} | set(OPEN)
    calls = {f"{endpoint.method} {endpoint.path}" for endpoint in api.ENDPOINTS}
    readable = {call for call in calls if call.startswith("GET /projects/{id}/releases")}
    assert calls - known - readable - {"DELETE /projects/{id}/releases/{tag_name}"} == set()
    assert known - calls == set()


def test_who_may_make_which_call(scene: Scene):
    wrong = [text for rule in rules() for text in made(scene, rule)]
    assert not wrong, "\n".join(wrong)


def made(scene: Scene, rule: Rule) -> list[str]:
    """Makes the call in everybody's name, the mightiest last; tells what is not as the table says."""
    method, path = rule.call.split(" ", 1)
    url = scene.server.url + "/api/v4" + re.sub(r"\{(\w+)(:path)?\}", lambda m: part(scene, m[1]), path)
    values = parameters(scene, rule.call)
    order = ["anonymous", "stranger", "ended job", "deploy token", "job", *ROLES]
    found = []
    for caller in order:
        answer = requests.request(method, url, headers=scene.headers[caller], timeout=20, **values)
        text = f"{rule.call} by {caller}: {answer.status_code} {answer.text[:100]}"
        expected = expectation(rule, caller)
        hidden = answer.status_code == 404 and re.search("404 (Project|Group|Namespace) Not Found", answer.text)
        if expected is None:
            if (
                answer.status_code in (401, 403)
                or answer.status_code >= 500
                or (hidden and "namespaces" not in path)
            ):
                found.append(f"{text}; may make it")
        elif answer.status_code != expected:
            found.append(f"{text}; expected {expected}")
    return found


def parameters(scene: Scene, call: str) -> dict[str, Any]:
    """What the call must have, so that it is refused for who makes it and for nothing else."""
    endpoint = next(each for each in api.ENDPOINTS if f"{each.method} {each.path}" == call)
    given = {field.name: value(field) for field in fields(endpoint.takes) if field.required}
    given |= {"runner_type": "project_type", "project_id": scene.known["id"]} if "/user/runners" in call else {}
    return {"params": given} if endpoint.method in ("GET", "DELETE") else {"json": given}


def value(field: Field) -> Any:
    plain = {"int": 1, "bool": True, "hash": {}, "ts": "2026-01-01T00:00:00Z", "list": ["x"]}
    return field.words[0] if field.words else ["x"] if field.type.startswith("[") else plain.get(field.type, "x")


def part(scene: Scene, name: str) -> str:
    number = name.endswith("_id") or name in ("schedule", "token")
    return scene.known.get(name) or ABSENT.get(name) or ("999999" if number else "nothing")


def expectation(rule: Rule, caller: str) -> int | None:
    """The status; None for a caller who may."""
    if caller == "anonymous":
        return rule.anonymous
    if caller in ("ended job", "deploy token"):
        return 401
    if caller == "job":
        return None if rule.job else 401
    if caller == "stranger":
        return None if rule.stranger == "allowed" else int(rule.stranger)
    allowed = rule.least == "anybody" or (rule.least in ROLES and ROLES[caller] >= ROLES[rule.least])
    return None if allowed else rule.denied


def test_a_jobs_token_reaches_another_project_by_its_allow_list_alone(tmp_path):
    settings = Settings(home=tmp_path / "home", port=free_port())
    server = Running(settings)
    for name in ("one", "two"):
        clone = Repository(tmp_path / name, server.remote(f"root/{name}"))
        clone.commit({".gitlab-ci.yml": CONFIGURATION})
        clone.push()
    token = {"JOB-TOKEN": job(server.runner(kind="project_type", projects=[1]), end=False)}
    ask = lambda: requests.get(f"{server.url}/api/v4/projects/2/jobs", headers=token, timeout=20)  # noqa: E731
    refused = ask()
    text = "403 Forbidden - Authentication by CI/CD job token not allowed from root/one to root/two."
    assert (refused.status_code, refused.json()) == (403, {"message": text})
    clone_url = f"http://gitlab-ci-token:{token['JOB-TOKEN']}@127.0.0.1:{settings.port}/root/two.git"
    assert clone.git("ls-remote", clone_url, check=False).returncode != 0
    added = server.api("POST", "/projects/2/job_token_scope/allowlist", json={"target_project_id": 1})
    assert added.status_code == 201
    assert ask().status_code == 200
    assert clone.git("ls-remote", clone_url, check=False).returncode == 0
    server.api("DELETE", "/projects/2/job_token_scope/allowlist/1")
    assert ask().status_code == 403
    server.stop()


def test_a_deploy_token_reads_one_repository(tmp_path):
    server = Running(Settings(home=tmp_path / "home", port=free_port()))
    for name in ("one", "two"):
        clone = Repository(tmp_path / name, server.remote(f"root/{name}"))
        clone.commit({"README.md": name})
        clone.push()
    body = {"name": "machine", "scopes": ["read_repository"], "username": "machine"}
    made = server.api("POST", "/projects/1/deploy_tokens", json=body).json()
    url = f"http://machine:{made['token']}@127.0.0.1:{server.settings.port}/root/"
    assert clone.git("ls-remote", f"{url}one.git", check=False).returncode == 0
    assert clone.git("ls-remote", f"{url}two.git", check=False).returncode != 0
    assert clone.git("push", f"{url}one.git", "HEAD:refs/heads/x", check=False).returncode != 0
    server.api("DELETE", f"/projects/1/deploy_tokens/{made['id']}")
    assert clone.git("ls-remote", f"{url}one.git", check=False).returncode != 0
    server.stop()
