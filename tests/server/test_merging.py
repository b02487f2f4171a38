"""What happens around a merge request with python-gitlab as it comes: merging when the pipeline has succeeded,
approvals, notes, versions."""

from __future__ import annotations

import gitlab
import pytest
from tests.server.conftest import until

CONFIGURATION = "job:\n  script: [make]\n"


@pytest.fixture
def remote(server, project):
    return gitlab.Gitlab(server.url, private_token=server.token).projects.get(project.full_path)


@pytest.fixture
def request_(remote, repository):
    """A merge request whose branch is one commit further; its pipeline waits for a runner."""
    repository.commit({".gitlab-ci.yml": CONFIGURATION})
    repository.push()
    repository.git("checkout", "-q", "-b", "feature")
    repository.commit({"src/a": "1\n"}, "What is new")
    repository.push("origin", "feature")
    values = {"source_branch": "feature", "target_branch": "main", "title": "Something new", "labels": ["a", "b"]}
    return remote.mergerequests.create(values)


def finish(server, project, status):
    """Runs every job that waits."""
    agent = server.runner(kind="project_type", projects=[project.id], run_untagged=True)
    while (answer := agent.request()).status_code == 201:
        assert agent.update(answer.json(), status).status_code == 200


def now(remote, request):
    return remote.mergerequests.get(request.iid)


def test_it_is_merged_when_its_pipeline_has_succeeded(server, project, remote, request_):
    asked = request_.merge(merge_when_pipeline_succeeds=True, should_remove_source_branch=True)
    assert (asked["state"], asked["merge_when_pipeline_succeeds"]) == ("opened", True)
    finish(server, project, "success")
    until(lambda: now(remote, request_).state == "merged")
    merged = now(remote, request_)
    assert (merged.merged_by["username"], merged.merge_when_pipeline_succeeds) == ("root", False)
    assert remote.branches.get("main").commit["id"] == merged.merge_commit_sha
    until(lambda: [branch.name for branch in remote.branches.list(get_all=True)] == ["main"])


def test_it_is_merged_at_once_when_its_pipeline_has_succeeded_already(server, project, remote, request_):
    finish(server, project, "success")
    assert request_.merge(merge_when_pipeline_succeeds=True)["state"] == "merged"


def test_it_waits_for_no_pipeline_that_has_failed(server, project, remote, request_):
    finish(server, project, "failed")
    with pytest.raises(gitlab.exceptions.GitlabMRClosedError) as error:
        request_.merge(merge_when_pipeline_succeeds=True)
    assert error.value.response_code == 405


def test_a_newer_commit_takes_the_wish_back(server, project, remote, repository, request_):
    request_.merge(merge_when_pipeline_succeeds=True)
    repository.commit({"src/a": "2\n"}, "More")
    repository.push("origin", "feature")
    assert not now(remote, request_).merge_when_pipeline_succeeds
    finish(server, project, "success")
    assert now(remote, request_).state == "opened"


def test_the_wish_is_taken_back_by_who_had_it(server, project, remote, request_):
    request_.merge(merge_when_pipeline_succeeds=True)
    request_.cancel_merge_when_pipeline_succeeds()
    finish(server, project, "success")
    assert now(remote, request_).state == "opened"
    with pytest.raises(gitlab.exceptions.GitlabMROnBuildSuccessError):
        request_.cancel_merge_when_pipeline_succeeds()


def test_developers_approve_once_and_take_it_back(remote, request_):
    assert not request_.approvals.get().approved
    request_.approve(sha=request_.sha)
    given = request_.approvals.get()
    assert (given.approved, given.user_has_approved, given.user_can_approve) == (True, True, False)
    assert [each["user"]["username"] for each in given.approved_by] == ["root"]
    with pytest.raises(gitlab.exceptions.GitlabError) as error:
        request_.approve()
    assert error.value.response_code == 401
    with pytest.raises(gitlab.exceptions.GitlabError) as error:
        request_.approve(sha="0" * 40)
    assert error.value.response_code == 409
    request_.unapprove()
    assert request_.approvals.get().approved_by == []


def test_people_say_what_they_think_of_it(server, project, remote, request_):
    note = request_.notes.create({"body": "Why?"})
    assert (note.author["username"], note.noteable_iid, note.system) == ("root", request_.iid, False)
    request_.notes.create({"body": "Because"})
    note.body = "Why so?"
    note.save()
    assert [each.body for each in request_.notes.list(get_all=True)] == ["Because", "Why so?"]
    assert [each.body for each in request_.notes.list(sort="asc", get_all=True)] == ["Why so?", "Because"]
    assert now(remote, request_).user_notes_count == 2

    def someone(instance):
        number = instance.accounts.create("ben", None, admin=False)
        created = {"user_id": number, "access_level": 30, "project_id": project.id, "created_at": 0.0}
        from shipline.server import tables as t

        instance.database.execute(t.members.insert().values(**created))
        return instance.accounts.create_token(number, "t", ["api"])[1]

    other = gitlab.Gitlab(server.url, private_token=server.inside(someone)).projects.get(remote.id)
    theirs = other.mergerequests.get(request_.iid)
    with pytest.raises(gitlab.exceptions.GitlabDeleteError) as error:
        theirs.notes.delete(note.id)
    assert error.value.response_code == 403, "it is somebody else's"
    own = theirs.notes.create({"body": "I see"})
    own.delete()
    note.delete()
    assert [each.body for each in request_.notes.list(get_all=True)] == ["Because"]
    with pytest.raises(gitlab.exceptions.GitlabCreateError, match="body"):
        request_.notes.create({"body": ""})


def test_what_it_changes_has_a_version(remote, request_):
    [version] = request_.diffs.list(get_all=True)
    assert (version.head_commit_sha, version.real_size) == (request_.sha, "1")
    whole = request_.diffs.get(version.id)
    assert [diff["new_path"] for diff in whole.diffs] == ["src/a"]
    assert [commit["id"] for commit in whole.commits] == [request_.sha]
    raw = remote.manager.gitlab.http_get(f"/projects/{remote.id}/merge_requests/{request_.iid}/raw_diffs").text
    assert raw.startswith("diff --git a/src/a b/src/a\n") and raw.endswith("+1\n")


def test_they_are_found_by_their_labels(remote, request_):
    numbers = lambda **by: [each.iid for each in remote.mergerequests.list(get_all=True, **by)]  # noqa: E731
    assert numbers(labels="a,b") == numbers(labels=["a"]) == numbers(labels="Any") == [request_.iid]
    assert numbers(labels="a,c") == numbers(labels="None") == []


def test_it_is_rebased_with_its_authors_and_their_times(remote, repository, request_):
    own = remote.commits.get(request_.sha)
    repository.git("checkout", "-q", "main")
    main = repository.commit({"other": "1"})
    repository.push("origin", "main")
    request_.rebase()
    request = remote.mergerequests.get(request_.iid, include_rebase_in_progress=True)
    assert (request.rebase_in_progress, request.merge_error) == (False, None)
    commit = remote.commits.get(request.sha)
    assert commit.parent_ids == [main] and request.diff_refs["base_sha"] == main
    assert (commit.title, commit.author_name, commit.authored_date) == (
        own.title,
        own.author_name,
        own.authored_date,
    )
    assert commit.committer_name == "Administrator"
    assert request.head_pipeline["sha"] == commit.id, "the branch has moved, and gets its pipelines"


def test_a_commit_that_does_not_fit_is_told(remote, repository, request_):
    repository.git("checkout", "-q", "main")
    repository.commit({"src/a": "another"})
    repository.push("origin", "main")
    request_.rebase()
    assert "resolve all conflicts" in now(remote, request_).merge_error
    assert now(remote, request_).sha == request_.sha
