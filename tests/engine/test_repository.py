"""What a pipeline learns of a real git repository."""

import os
import subprocess
from pathlib import Path

import pytest

from shipline.engine.errors import EngineError
from shipline.engine.repository import NO_SHA, Repository

NAMES = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "2026-03-01T12:00:00+0200",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


def git(path: Path, *arguments: str) -> str:
    environment = os.environ | NAMES | {"HOME": str(path)}
    done = subprocess.run(
        ["git", *arguments], cwd=path, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def path(tmp_path):
    """A repository with two commits on main; the second adds docs/two.txt."""
    path = tmp_path / "calculator"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    (path / "one.txt").write_text("one\n")
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "First")
    (path / "docs").mkdir()
    (path / "docs" / "two.txt").write_text("two\n")
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "Second\n\nWith a body")
    return path


def test_the_commit_that_is_checked_out(path):
    repository = Repository.find(path / "docs")
    commit = repository.commit()
    assert repository.path == path
    assert (commit.sha, commit.before_sha) == (git(path, "rev-parse", "HEAD"), git(path, "rev-parse", "HEAD~1"))
    assert (commit.ref, commit.is_tag, commit.default_branch) == ("main", False, "main")
    assert commit.message == "Second\n\nWith a body\n"
    assert (commit.author, commit.timestamp) == ("Ada <ada@example.com>", "2026-03-01T12:00:00+02:00")
    assert repository.changed(commit) == ["docs/two.txt"]
    assert repository.files(commit.sha) == ["docs/two.txt", "one.txt"]
    assert repository.read(commit.sha, "one.txt") == "one\n"
    assert repository.read(commit.sha, "docs") is None and repository.read(commit.sha, "none") is None
    repository.close()


def test_a_branch_a_tag_and_a_commit_by_name(path):
    git(path, "branch", "feature/x", "HEAD~1")
    git(path, "tag", "-a", "v1.0", "-m", "The first release")
    repository = Repository.find(path)
    branch = repository.commit("feature/x")
    assert (branch.ref, branch.before_sha, repository.changed(branch)) == ("feature/x", NO_SHA, None)
    tag = repository.commit("v1.0")
    assert (tag.ref, tag.is_tag, tag.sha, tag.before_sha) == ("v1.0", True, git(path, "rev-parse", "HEAD"), NO_SHA)
    assert tag.tag_message == "The first release\n"
    assert repository.commit(git(path, "rev-parse", "--short", "HEAD~1")).ref == "main"
    with pytest.raises(EngineError, match="no branch, tag or commit 'nowhere'"):
        repository.commit("nowhere")
    repository.close()


def test_a_detached_head_is_taken_for_the_branch_that_holds_it(path):
    git(path, "checkout", "-q", "--detach", "HEAD~1")
    repository = Repository.find(path)
    assert repository.commit().ref == "main"
    repository.close()


def test_uncommitted_changes_become_a_commit_that_touches_nothing(path):
    (path / ".gitignore").write_text("*.log\n")
    (path / "build.log").write_text("ignored")
    (path / "one.txt").write_text("changed\n")
    (path / "docs" / "two.txt").unlink()
    before = (git(path, "status", "--porcelain"), git(path, "show-ref"), git(path, "diff", "--cached"))
    repository = Repository.find(path / "docs")
    commit = repository.snapshot()
    assert commit.dirty and commit.ref == "main" and commit.before_sha == git(path, "rev-parse", "HEAD")
    assert repository.files(commit.sha) == [".gitignore", "one.txt"]
    assert repository.read(commit.sha, "one.txt") == "changed\n"
    assert repository.changed(commit) == [".gitignore", "docs/two.txt", "one.txt"]
    assert before == (git(path, "status", "--porcelain"), git(path, "show-ref"), git(path, "diff", "--cached"))
    repository.close()


def test_a_clean_tree_s_snapshot_is_the_commit_itself(path):
    repository = Repository.find(path)
    assert repository.snapshot() == repository.commit()
    repository.close()


def test_the_project_is_called_as_its_origin_or_its_directory(path):
    assert Repository.find(path).project_path == "local/calculator"
    for url in (
        "git@gitlab.example.com:group/sub/calculator.git",
        "https://gitlab.example.com/group/sub/calculator",
    ):
        git(path, "config", "remote.origin.url", url)
        assert Repository.find(path).project_path == "group/sub/calculator"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("git@gitlab.example.com:group/app.git", "https://gitlab.example.com"),
        ("ssh://git@gitlab.example.com:2222/group/app", "https://gitlab.example.com"),
        ("https://user:token@gitlab.example.com:8443/group/app", "https://gitlab.example.com:8443"),
        ("http://127.0.0.1:3000/group/app", "http://127.0.0.1:3000"),
        ("git@github.com:group/app.git", "http://localhost"),
        ("../elsewhere", "http://localhost"),
        ("/srv/git/app.git", "http://localhost"),
    ],
)
def test_the_server_is_that_of_the_origin(path, url, server):
    git(path, "config", "remote.origin.url", url)
    assert Repository.find(path).server_url == server


def test_gitlab_com_has_a_registry_that_is_known(path):
    git(path, "config", "remote.origin.url", "git@gitlab.com:group/app.git")
    assert Repository.find(path).registry == "registry.gitlab.com"
    git(path, "config", "remote.origin.url", "git@gitlab.example.com:group/app.git")
    assert Repository.find(path).registry == ""


def test_the_default_branch_is_the_origin_s(path):
    git(path, "update-ref", "refs/remotes/origin/trunk", "HEAD")
    git(path, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    assert Repository.find(path).default_branch == "trunk"


def test_no_repository_and_no_commit_are_said_so(tmp_path):
    with pytest.raises(EngineError, match="is not in a git repository"):
        Repository.find(tmp_path)
    git(tmp_path, "init", "-q")
    with pytest.raises(EngineError, match="has no commit yet"):
        Repository.find(tmp_path).commit()


def test_a_worktree_is_a_repository_too(path, tmp_path):
    git(path, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side" / "new.txt").write_text("new\n")
    repository = Repository.find(tmp_path / "side")
    commit = repository.snapshot()
    assert commit.ref == "side" and "new.txt" in repository.files(commit.sha)
    repository.close()
