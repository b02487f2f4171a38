"""Merge requests with python-gitlab as it comes, and what a push does to them."""

from __future__ import annotations

import subprocess

import gitlab
import pytest

BOTH = """\
always:
  script: [make]
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
      changes: [src/*]
    - if: $CI_COMMIT_BRANCH && $CI_OPEN_MERGE_REQUESTS
      when: never
    - if: $CI_COMMIT_BRANCH
branches: {script: [make], only: [branches]}
"""


@pytest.fixture
def remote(server, project):
    return gitlab.Gitlab(server.url, private_token=server.token).projects.get(project.full_path)


@pytest.fixture
def feature(remote, repository):
    """A branch that is one commit further; gives that commit's id."""
    repository.commit({".gitlab-ci.yml": BOTH})
    repository.push()
    repository.git("checkout", "-q", "-b", "feature")
    sha = repository.commit({"src/a": "1"}, "What is new")
    repository.push("origin", "feature")
    return sha


def opened(remote, **more):
    values = {"source_branch": "feature", "target_branch": "main", "title": "Something new", **more}
    return remote.mergerequests.create(values)


def own_pipelines(request):
    return [p for p in request.pipelines.list(get_all=True) if p.source == "merge_request_event"]


def test_a_merge_request_has_pipelines_of_its_own(server, remote, repository, feature):
    request = opened(remote, description="Why", labels=["b", "a"])
    [pipeline] = own_pipelines(request)
    assert (pipeline.ref, pipeline.sha) == (f"refs/merge-requests/{request.iid}/head", feature)
    jobs = remote.pipelines.get(pipeline.id).jobs.list(get_all=True)
    assert [job.name for job in jobs] == ["always"], "rules:changes looks at what the request changes"
    variables = server.inside(lambda i: {v.key: v.value for v in _variables(i, pipeline.id)})
    assert variables["CI_MERGE_REQUEST_IID"] == str(request.iid)
    assert variables["CI_MERGE_REQUEST_TARGET_BRANCH_NAME"] == "main"
    assert (variables["CI_MERGE_REQUEST_LABELS"], variables["CI_COMMIT_REF_NAME"]) == ("a,b", "feature")
    assert "CI_COMMIT_BRANCH" not in variables
    repository.commit({"src/a": "2"}, "More")
    shown = repository.push("origin", "feature")
    assert f"for merge request !{request.iid}:" in shown
    request = remote.mergerequests.get(request.iid)
    newest, older = own_pipelines(request)
    assert (newest.sha, older.status) == (request.sha, "canceled"), "the newer commit replaces the older"
    assert request.head_pipeline["id"] == newest.id
    branch = remote.pipelines.list(ref="feature", get_all=True)[0]
    assert [job.name for job in branch.jobs.list(get_all=True)] == ["branches"], "CI_OPEN_MERGE_REQUESTS is there"
    assert request.pipelines.create({}).sha == request.sha


def _variables(instance, number):
    live = instance.pipelines.live(number)
    return [*live.compiled.predefined, *live.definitions["always"].variables]


def test_a_job_of_a_merge_request_is_fetched_and_run(server, project, remote, repository, feature):
    request = opened(remote)
    agent = server.runner(kind="project_type", projects=[project.id], run_untagged=True)
    jobs = [agent.job() for _ in range(5)]
    variables = [{variable["key"]: variable["value"] for variable in job["variables"]} for job in jobs]
    mine, values = next(
        (job, values)
        for job, values in zip(jobs, variables, strict=True)
        if values["CI_PIPELINE_SOURCE"] == "merge_request_event"
    )
    assert mine["git_info"]["refspecs"][0].startswith("+refs/pipelines/")
    url = mine["git_info"]["repo_url"]
    listed = subprocess.run(["git", "ls-remote", url], capture_output=True, text=True, check=True).stdout
    assert f"{feature}\trefs/merge-requests/{request.iid}/head" in listed
    assert values["CI_MERGE_REQUEST_TITLE"] == "Something new"


def test_merging_makes_a_commit_and_its_pipeline(remote, repository, feature):
    request = opened(remote, remove_source_branch=True)
    assert (request.detailed_merge_status, request.changes_count) == ("mergeable", "1")
    assert [commit.id for commit in request.commits()] == [feature]
    assert request.changes()["changes"][0]["new_path"] == "src/a"
    with pytest.raises(gitlab.exceptions.GitlabMRClosedError) as error:
        request.merge(sha="0" * 40)
    assert error.value.response_code == 409
    merged = request.merge()
    assert (merged["state"], merged["merged_by"]["username"]) == ("merged", "root")
    commit = remote.commits.get(merged["merge_commit_sha"])
    assert commit.message.startswith("Merge branch 'feature' into 'main'") and feature in commit.parent_ids
    assert [branch.name for branch in remote.branches.list(get_all=True)] == ["main"]
    assert remote.pipelines.list(ref="main", get_all=True)[0].sha == commit.id
    assert [r["iid"] for r in remote.commits.get(feature).merge_requests()] == [request.iid]
    with pytest.raises(gitlab.exceptions.GitlabMRClosedError):
        remote.mergerequests.get(request.iid).merge()


def test_all_changes_become_one_commit_where_that_is_asked_for(remote, repository, feature):
    repository.commit({"src/b": "2"})
    repository.push("origin", "feature")
    merged = opened(remote, squash=True).merge(squash_commit_message="All of it")
    commit = remote.commits.get(merged["merge_commit_sha"])
    squash = remote.commits.get(merged["squash_commit_sha"])
    assert squash.message.strip() == "All of it" and squash.id in commit.parent_ids
    assert {item["path"] for item in remote.repository_tree("src", ref="main", get_all=True)} == {"src/a", "src/b"}


def test_what_cannot_be_merged_is_told(server, remote, repository, feature):
    request = opened(remote, title="Draft: not yet")
    assert request.draft and request.detailed_merge_status == "draft_status"
    repository.git("checkout", "-q", "main")
    repository.commit({"src/a": "another"})
    repository.push("origin", "main")
    request = remote.mergerequests.get(request.iid)
    assert request.has_conflicts and request.merge_status == "cannot_be_merged"
    request.title = "Now"
    request.save()
    for state in ({}, {"auto_merge": True}):
        answer = server.api("PUT", f"/projects/{remote.id}/merge_requests/{request.iid}/merge", json=state)
        assert answer.status_code == 422, answer.text
    for wrong, text in (({"target_branch": "none"}, "does not exist"), ({"source_branch": "main"}, "same")):
        with pytest.raises(gitlab.exceptions.GitlabCreateError, match=text):
            opened(remote, **wrong)
    with pytest.raises(gitlab.exceptions.GitlabCreateError, match=f"already exists.*!{request.iid}"):
        opened(remote)


def test_a_merge_request_is_found_closed_and_opened_again(server, remote, repository, feature):
    request = opened(remote)
    request.state_event = "close"
    request.save()
    assert remote.mergerequests.get(request.iid).state == "closed"
    assert remote.mergerequests.list(state="opened", get_all=True) == []
    request.state_event = "reopen"
    request.save()
    [found] = remote.mergerequests.list(state="opened", source_branch="feature", get_all=True)
    assert found.iid == request.iid
    assert server.api("GET", "/merge_requests", params={"search": "something"}).json()[0]["iid"] >= 1
    repository.push("origin", ":feature")
    assert remote.mergerequests.get(request.iid).state == "closed", "its branch is gone"
    remote.mergerequests.delete(request.iid)
    with pytest.raises(gitlab.exceptions.GitlabGetError):
        remote.mergerequests.get(request.iid)


def test_a_push_of_the_target_finds_what_is_merged(remote, repository, feature):
    request = opened(remote)
    repository.git("checkout", "-q", "main")
    repository.git("merge", "-q", "--ff-only", "feature")
    assert f"Merge request !{request.iid} is merged." in repository.push("origin", "main")
    assert remote.mergerequests.get(request.iid).state == "merged"


def test_a_push_makes_a_merge_request(remote, repository):
    repository.git("checkout", "-q", "-b", "quick")
    repository.commit({"x": "1"}, "A quick change")
    options = ("create", "target=main", "label=fast", "draft", "milestone=1")
    words = [word for option in options for word in ("-o", f"merge_request.{option}")]
    shown = repository.push(*words, "origin", "quick")
    assert "/-/merge_requests/" in shown and "merge_request.milestone=1: merge requests here know" in shown
    [request] = remote.mergerequests.list(source_branch="quick", get_all=True)
    assert (request.title, request.labels) == ("Draft: A quick change", ["fast"])


def test_a_fork_begins_with_all_that_its_source_has(server, client_of, remote, repository):
    ada = client_of("fork-ada")
    remote.visibility = "public"
    remote.save()
    made = ada.projects.get(remote.id).forks.create({"path": "mine"})
    fork = ada.projects.get(made.id)
    assert fork.path_with_namespace == "fork-ada/mine"
    assert fork.forked_from_project["id"] == remote.id
    assert fork.commits.get("main").id == remote.commits.get("main").id
    assert [project.id for project in remote.forks.list(get_all=True)] == [fork.id]
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as error:
        ada.projects.get(remote.id).forks.create({"path": "mine"})
    assert error.value.response_code == 409
    fork.delete_fork_relation()
    assert remote.forks.list(get_all=True) == []


@pytest.fixture
def client_of(server):
    def make(name):
        def token(instance):
            number = instance.accounts.create(name, None, admin=False)
            return instance.accounts.create_token(number, "t", ["api"])[1]

        return gitlab.Gitlab(server.url, private_token=server.inside(token))

    return make
