"""Repositories that live elsewhere: what changes there makes pipelines here."""

from __future__ import annotations

import hashlib
import hmac
import json

import gitlab
import pytest
from tests.server.conftest import until


@pytest.fixture
def mirror(server, project):
    """A project that mirrors this test's own one, with user and password in the address, in python-gitlab."""
    client = gitlab.Gitlab(server.url, private_token=server.token)
    made = client.projects.create({"name": f"mirror-{project.id}"})
    address = f"{server.url}/{project.full_path}.git"
    made.pull_mirror.create({"url": address, "enabled": True, "auth_user": "root", "auth_password": server.token})
    until(lambda: made.pull_mirror.get().update_status == "finished")
    return made


def test_a_mirror_has_the_branches_and_a_pipeline_of_the_default_one(server, project, repository, mirror):
    assert [branch.name for branch in mirror.branches.list()] == ["main"]
    assert [pipeline.ref for pipeline in mirror.pipelines.list()] == ["main"]
    told = mirror.pull_mirror.get()
    assert told.url.endswith(f"*****:*****@{server.url.partition('//')[2]}/{project.full_path}.git")
    assert server.token not in json.dumps(told.attributes)


def test_what_changes_there_makes_pipelines_here(server, project, repository, mirror):
    sha = repository.commit({"new.txt": "new\n"})
    repository.git("branch", "feature")
    repository.push("origin", "main", "feature")
    mirror.pull_mirror.start()
    until(lambda: len(mirror.pipelines.list()) == 3)
    assert {(p.ref, p.sha, p.source) for p in mirror.pipelines.list()[:2]} == {
        ("main", sha, "push"),
        ("feature", sha, "push"),
    }
    repository.push("origin", ":feature")
    mirror.pull_mirror.start()
    until(lambda: [branch.name for branch in mirror.branches.list()] == ["main"])


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_webhook_says_that_there_is_something_new(server, repository, mirror, kind):
    secret = mirror.triggers.create({"description": "the other side"}).token
    repository.commit({"new.txt": f"{kind}\n"})
    repository.push()
    body = json.dumps({"ref": "refs/heads/main"}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={signature}"} if kind == "github" else {"X-Gitlab-Token": secret}
    path = f"/projects/{mirror.id}/webhook"
    for wrong in ({}, {"X-Gitlab-Token": "x"}, {"X-Hub-Signature-256": "sha256=" + "0" * 64}):
        assert server.api("POST", path, token="", data=body, headers=wrong).status_code == 404
    assert server.api("POST", path, token="", data=body, headers=headers).status_code == 202
    until(lambda: len(mirror.pipelines.list()) == 2)


def event(kind, state="opened", title="News", labels=("one",), foreign=False):
    """What GitLab or GitHub sends of a merge request: its headers and body."""
    if kind == "gitlab":
        about = {"source_branch": "feature", "target_branch": "main", "title": title, "description": "Why"}
        projects = {"source_project_id": 8 if foreign else 7, "target_project_id": 7}
        own = about | projects | {"iid": 3, "state": state, "action": "open"}
        given = [{"title": label} for label in labels]
        body = {"object_kind": "merge_request", "object_attributes": own, "labels": given}
        return {"X-Gitlab-Event": "Merge Request Hook"}, json.dumps(body).encode()
    head = {"ref": "feature", "repo": {"id": 8 if foreign else 7}}
    own = {"head": head, "base": {"ref": "main", "repo": {"id": 7}}, "title": title, "body": "Why", "draft": False}
    own |= {"state": "open" if state == "opened" else "closed", "merged": state == "merged"}
    own |= {"labels": [{"name": label} for label in labels]}
    return {"X-GitHub-Event": "pull_request"}, json.dumps({"action": "opened", "pull_request": own}).encode()


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_merge_request_there_has_pipelines_here(server, repository, mirror, kind):
    secret = mirror.triggers.create({"description": "the other side"}).token
    rules = "rules: [{if: $CI_PIPELINE_SOURCE == 'merge_request_event'}]"
    repository.commit({".gitlab-ci.yml": f"job:\n  script: [make]\n  {rules}\n"})
    repository.git("checkout", "-q", "-b", "feature")
    sha = repository.commit({"new.txt": "new\n"})
    repository.push("origin", "main", "feature")

    def send(**about):
        headers, body = event(kind, **about)
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        mine = {"X-Hub-Signature-256": f"sha256={signature}"} if kind == "github" else {"X-Gitlab-Token": secret}
        path = f"/projects/{mirror.id}/webhook"
        assert server.api("POST", path, token="", data=body, headers=headers | mine).status_code == 202
        until(lambda: not server.inside(lambda i: mirror.id in i.mirror_updates))

    send(foreign=True)
    assert mirror.mergerequests.list(get_all=True) == [], "the branch of a fork is not here"
    send()
    [request] = mirror.mergerequests.list(get_all=True)
    assert (request.title, request.description, request.labels) == ("News", "Why", ["one"])
    [pipeline] = mirror.mergerequests.get(request.iid).pipelines.list(get_all=True)
    assert (pipeline.source, pipeline.sha) == ("merge_request_event", sha)
    newer = repository.commit({"new.txt": "newer\n"})
    repository.push("origin", "feature")
    send(title="Other news", labels=())
    request = mirror.mergerequests.get(request.iid)
    assert (request.title, request.labels, request.sha) == ("Other news", [], newer)
    assert request.pipelines.list(get_all=True)[0].sha == newer
    send(state="merged")
    assert mirror.mergerequests.get(request.iid).state == "merged"


def test_what_goes_wrong_is_told_without_the_password(server, mirror):
    address = server.url + "/nobody/nothing.git"
    mirror.pull_mirror.create({"url": address, "auth_user": "root", "auth_password": "a-secret-password"})
    told = until(lambda: (found := mirror.pull_mirror.get()).update_status == "failed" and found)
    assert "nothing.git" in told.last_error and "a-secret-password" not in json.dumps(told.attributes)
    with pytest.raises(gitlab.GitlabCreateError, match="must be an address"):
        mirror.pull_mirror.create({"url": "file:///etc"})
    files = [path.read_bytes() for path in server.settings.home.glob("server.db*")]
    assert not any(b"a-secret-password" in text for text in files)
