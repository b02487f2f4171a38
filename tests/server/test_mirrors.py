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


def test_what_goes_wrong_is_told_without_the_password(server, mirror):
    address = server.url + "/nobody/nothing.git"
    mirror.pull_mirror.create({"url": address, "auth_user": "root", "auth_password": "a-secret-password"})
    told = until(lambda: (found := mirror.pull_mirror.get()).update_status == "failed" and found)
    assert "nothing.git" in told.last_error and "a-secret-password" not in json.dumps(told.attributes)
    with pytest.raises(gitlab.GitlabCreateError, match="must be an address"):
        mirror.pull_mirror.create({"url": "file:///etc"})
    files = [path.read_bytes() for path in server.settings.home.glob("server.db*")]
    assert not any(b"a-secret-password" in text for text in files)
