"""Tokens of projects and groups with python-gitlab as it comes: each acts as a bot that is a member."""

from __future__ import annotations

import gitlab
import pytest


@pytest.fixture
def client(server):
    return gitlab.Gitlab(server.url, private_token=server.token)


@pytest.fixture
def remote(client, project):
    return client.projects.get(project.full_path)


def by(server, token):
    return gitlab.Gitlab(server.url, private_token=token, retry_transient_errors=False)


def test_a_projects_token_does_what_its_role_may(server, remote, repository):
    made = remote.access_tokens.create(
        {"name": "deploys", "scopes": ["api", "write_repository"], "access_level": 30}
    )
    assert (made.access_level, made.resource_type, made.resource_id) == (30, "project", remote.id)
    bot = by(server, made.token)
    bot.auth()
    assert bot.user.bot and bot.user.username.startswith(f"project_{remote.id}_bot_")
    assert bot.projects.get(remote.id).pipelines.list(get_all=True)
    with pytest.raises(gitlab.exceptions.GitlabListError) as error:
        bot.projects.get(remote.id).variables.list(get_all=True)
    assert error.value.response_code == 403, "a developer reads no variables"
    repository.git("checkout", "-q", "-b", "automatic")
    repository.commit({"made": "by nobody"})
    url = f"{server.url.replace('://', f'://anything:{made.token}@')}/{remote.path_with_namespace}.git"
    repository.git("push", url, "automatic")
    assert (
        remote.pipelines.list(ref="automatic", get_all=True)[0].sha == remote.branches.get("automatic").commit["id"]
    )


def test_it_is_rotated_and_revoked(server, remote):
    made = remote.access_tokens.create({"name": "robot", "scopes": ["read_api"]})
    assert made.access_level == 40, "maintainer is GitLab's default"
    newer = remote.access_tokens.get(made.id).rotate()
    assert newer["user_id"] == made.user_id
    with pytest.raises(gitlab.exceptions.GitlabAuthenticationError):
        by(server, made.token).auth()
    by(server, newer["token"]).auth()
    assert [each.id for each in remote.access_tokens.list(state="active", get_all=True)] == [newer["id"]]
    remote.access_tokens.delete(newer["id"])
    with pytest.raises(gitlab.exceptions.GitlabAuthenticationError):
        by(server, newer["token"]).auth()
    assert remote.access_tokens.list(state="active", get_all=True) == []
    assert [member.username for member in remote.members.list(get_all=True)] == []


def test_a_groups_token_reaches_its_projects(server, client, name):
    group = client.groups.create({"name": name, "path": f"g-{abs(hash(name))}"})
    project = client.projects.create({"name": "app", "namespace_id": group.id})
    made = group.access_tokens.create({"name": "robot", "scopes": ["api"], "access_level": 20})
    assert (made.resource_type, made.resource_id) == ("group", group.id)
    assert by(server, made.token).projects.get(project.id).path == "app"
    group.delete()
    with pytest.raises(gitlab.exceptions.GitlabAuthenticationError):
        by(server, made.token).auth()


def test_no_token_can_do_more_than_who_makes_it(server, remote):
    maintainer = remote.access_tokens.create({"name": "m", "scopes": ["api"], "access_level": 40})
    theirs = by(server, maintainer.token).projects.get(remote.id)
    for wanted, text in (({"access_level": 50}, "greater"), ({"access_level": 30}, "permission")):
        with pytest.raises(gitlab.exceptions.GitlabCreateError, match=text):
            theirs.access_tokens.create({"name": "n", "scopes": ["api"], **wanted})
    for wrong in ({"scopes": ["sudo"]}, {"scopes": ["nothing"]}, {"scopes": ["api"], "access_level": 33}):
        with pytest.raises(gitlab.exceptions.GitlabCreateError, match="does not have a valid value"):
            remote.access_tokens.create({"name": "n", **wrong})


def test_it_ends_with_its_project(server, remote):
    made = remote.access_tokens.create({"name": "robot", "scopes": ["api"]})
    remote.delete()
    with pytest.raises(gitlab.exceptions.GitlabAuthenticationError):
        by(server, made.token).auth()
