"""Files, commits and comparisons, groups and what belongs to them: python-gitlab as it comes."""

from __future__ import annotations

import base64
import io
import tarfile
from typing import Any

import gitlab
import pytest
from tests.server.conftest import Agent, Running

from shipline.server.permissions import DEVELOPER, OWNER


@pytest.fixture
def client(server: Running) -> gitlab.Gitlab:
    made = gitlab.Gitlab(server.url, private_token=server.token)
    made.auth()
    return made


@pytest.fixture
def remote(client: gitlab.Gitlab, project: Any) -> Any:
    return client.projects.get(project.full_path)


def test_files_are_made_changed_and_deleted_in_commits(remote):
    made = remote.files.create(
        {"file_path": "a/b c.txt", "branch": "main", "content": "one\n", "commit_message": "Add a file"}
    )
    assert (made.file_path, made.branch) == ("a/b c.txt", "main")
    found = remote.files.get("a/b c.txt", ref="main")
    assert found.decode() == b"one\n"
    found.content = base64.b64encode(b"two\n").decode()
    found.encoding = "base64"
    found.save(branch="main", commit_message="Change it")
    assert remote.files.raw("a/b c.txt", ref="main") == b"two\n"
    assert [line for run in remote.files.blame("a/b c.txt", ref="main") for line in run["lines"]] == ["two"]
    assert remote.files.head("a/b c.txt", ref="main")["X-Gitlab-File-Path"] == "a/b c.txt"
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as error:
        remote.files.create({"file_path": "README.md", "branch": "main", "content": "", "commit_message": "m"})
    assert (error.value.response_code, error.value.error_message) == (400, "A file with this name already exists")
    found.delete(branch="main", commit_message="Remove it")
    with pytest.raises(gitlab.exceptions.GitlabGetError) as gone:
        remote.files.get("a/b c.txt", ref="main")
    assert gone.value.error_message == "404 File Not Found"
    titles = [commit.title for commit in remote.commits.list(get_all=True)]
    assert titles[:3] == ["Remove it", "Change it", "Add a file"]


def test_a_commit_of_several_changes_starts_its_pipeline(remote):
    actions = [
        {"action": "create", "file_path": "run.sh", "content": "true\n", "execute_filemode": True},
        {"action": "move", "file_path": "NOTES.md", "previous_path": "README.md"},
    ]
    before = len(remote.pipelines.list(get_all=True))
    commit = remote.commits.create(
        {"branch": "next", "start_branch": "main", "commit_message": "Two changes", "actions": actions}
    )
    assert commit.stats["additions"] == 1 and commit.last_pipeline["ref"] == "next"
    assert len(remote.pipelines.list(get_all=True)) == before + 1
    tree = {entry["path"]: entry["mode"] for entry in remote.repository_tree(ref="next", get_all=True)}
    assert tree == {".gitlab-ci.yml": "100644", "NOTES.md": "100644", "run.sh": "100755"}
    kinds = {diff["new_path"]: (diff["new_file"], diff["renamed_file"]) for diff in commit.diff(get_all=True)}
    assert kinds == {"run.sh": (True, False), "NOTES.md": (False, True)}
    compared = remote.repository_compare("main", "next")
    assert [c["title"] for c in compared["commits"]] == ["Two changes"] and len(compared["diffs"]) == 2
    assert remote.repository_merge_base(["main", "next"])["id"] == remote.commits.get("main").id
    picked = commit.cherry_pick("main")
    assert picked["title"] == "Two changes"
    reverted = remote.commits.get("main").revert("main")
    assert reverted["title"] == 'Revert "Two changes"'
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as wrong:
        remote.commits.create({"branch": "main", "commit_message": "m", "actions": [{"action": "x"}]})
    assert "must be one of: create, update, move, delete, chmod" in wrong.value.error_message


def test_an_archive_has_the_files_of_the_commit(remote):
    packed = remote.repository_archive(sha="main", format="tar.gz")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert {"README.md", ".gitlab-ci.yml"} <= set(names)
    assert remote.repository_archive(sha="main", format="zip").startswith(b"PK")


def test_other_services_say_what_they_think_of_a_commit(remote):
    commit = remote.commits.get("main")
    commit.statuses.create({"state": "pending", "name": "elsewhere"})
    commit.statuses.create({"state": "success", "name": "elsewhere", "coverage": 98.5})
    found = {status.name: status for status in commit.statuses.list(get_all=True)}
    assert (found["elsewhere"].status, found["elsewhere"].coverage) == ("success", 98.5)
    assert "build-job" in found


def test_a_groups_variables_and_runners_hold_for_what_is_below(server, client, repository, name):
    group = client.groups.create({"name": "Group", "path": f"g-{name}"})
    inner = client.groups.create({"name": "Inner", "path": "inner", "parent_id": group.id})
    assert inner.full_path == f"g-{name}/inner"
    group.variables.create({"key": "WHERE", "value": "group"})
    group.variables.create({"key": "ONLY", "value": "group"})
    inner.variables.create({"key": "WHERE", "value": "inner"})
    repository.git("remote", "set-url", "origin", server.remote(f"g-{name}/inner/app"))
    repository.push()
    made = client.user.runners.create(
        {"runner_type": "group_type", "group_id": group.id, "tag_list": ["kubernetes"]}
    )
    agent = Agent(server, made.id, made.token)
    sent = {variable["key"]: variable["value"] for variable in agent.job()["variables"]}
    assert (sent["WHERE"], sent["ONLY"]) == ("inner", "group")
    assert made.id in [runner.id for runner in inner.runners.list(get_all=True)]
    assert [p.path for p in group.projects.list(include_subgroups=True, get_all=True)] == ["app"]
    assert [g.full_path for g in group.subgroups.list(get_all=True)] == [inner.full_path]


def test_a_member_of_a_group_is_one_of_its_projects(server, client, repository, name):
    group = client.groups.create({"name": "Group", "path": f"m-{name}"})
    repository.git("remote", "set-url", "origin", server.remote(f"m-{name}/app"))
    repository.push()

    def make(instance: Any) -> tuple[int, str]:
        number = instance.accounts.create(f"member-{abs(hash(name)) % 10**6}", None, admin=False)
        return number, instance.accounts.create_token(number, "t", ["api"])[1]

    number, token = server.inside(make)
    theirs = gitlab.Gitlab(server.url, private_token=token)
    path = f"m-{name}/app"
    with pytest.raises(gitlab.exceptions.GitlabGetError):
        theirs.projects.get(path)
    member = group.members.create({"user_id": number, "access_level": DEVELOPER})
    seen = theirs.projects.get(path)
    assert seen.permissions["group_access"]["access_level"] == DEVELOPER
    assert [p.id for p in theirs.projects.list(membership=True, get_all=True)] == [seen.id]
    with pytest.raises(gitlab.exceptions.GitlabListError):
        theirs.groups.get(group.id).variables.list(get_all=True)
    member.access_level = OWNER
    member.save()
    assert theirs.groups.get(group.id).variables.list(get_all=True) == []
    assert {m.access_level for m in seen.members_all.list(get_all=True)} == {OWNER}
    group.delete()
    with pytest.raises(gitlab.exceptions.GitlabGetError):
        client.projects.get(path)


def test_lists_can_be_walked_by_keyset(client, remote):
    for number in range(3):
        remote.pipelines.create({"ref": "main", "variables": [{"key": "N", "value": str(number)}]})
    walked = remote.jobs.list(pagination="keyset", order_by="id", per_page=3, iterator=True)
    numbers = [job.id for job in walked]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) == 8
    projects = [p.id for p in client.projects.list(pagination="keyset", order_by="id", per_page=1, iterator=True)]
    assert remote.id in projects and len(projects) == len(set(projects))
    with pytest.raises(gitlab.exceptions.GitlabHttpError) as error:
        client.http_list(f"/projects/{remote.id}/triggers", pagination="keyset", iterator=True)
    assert error.value.response_code == 405


def test_settings_of_a_project(client, remote, repository):
    remote.topics = ["ci", "tools"]
    remote.ci_pipeline_variables_minimum_override_role = "owner"
    remote.description = "What it is for"
    remote.save()
    again = client.projects.get(remote.id)
    remote.ci_pipeline_variables_minimum_override_role = "no_one_allowed"
    remote.save()
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as refused:
        remote.pipelines.create({"ref": "main", "variables": [{"key": "A", "value": "1"}]})
    assert refused.value.error_message == {"base": ["Insufficient permissions to set pipeline variables"]}
    repository.commit({})
    assert "Insufficient permissions" in repository.push("-o", "ci.variable=A=1", "origin", "HEAD")
    assert (again.topics, again.description) == (["ci", "tools"], "What it is for")
    assert again.ci_pipeline_variables_minimum_override_role == "owner" and not again.empty_repo
    assert client.namespaces.get("root").kind == "user"
