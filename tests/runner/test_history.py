"""What of a local repository's history a job sees: its commits to a depth, and the tags on them."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from tests.runner.desk import Desk, job, run

from shipline.protocol.payload import GitInfo, Variable
from shipline.runner.repository import RepositoryCopies
from shipline.runner.workspace import Workspace


def git(folder, *words):
    who = ["-c", "user.name=T", "-c", "user.email=t@example.com"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def grown(source, tmp_path):
    """Four commits: tag `old` on the first, annotated `v1` on the last but one, and branch `side`."""
    folder = tmp_path / "repository"
    git(folder, "tag", "old")
    git(folder, "branch", "side")
    for number in range(3):
        git(folder, "commit", "-q", "--allow-empty", "-m", f"change {number}")
    git(folder, "tag", "-a", "v1", "-m", "The first", "HEAD~1")
    return source[0], git(folder, "rev-parse", "HEAD").strip()


LOOK = "git rev-list --count HEAD; git tag -l | tr '\\n' ,; git branch -r | tr -d '\\n'; git describe --always"
SEEN = {
    "0": "4\nold,v1,  origin/main  origin/sidev1-1-g",
    "": "4\nold,v1,  origin/main  origin/sidev1-1-g",
    "2": "2\nv1,  origin/mainv1-1-g",
    "1": "1\n  origin/main",
}


@pytest.mark.parametrize("depth", SEEN)
async def test_depth_and_tags(shells, grown, depth):
    payload = job(grown, LOOK, variables=[Variable("GIT_DEPTH", depth)])
    payload.git_info.depth = int(depth or 0)
    desk = Desk(payload)
    await asyncio.wait_for(run(shells, desk), 60)
    assert SEEN[depth] in desk.log(payload)


async def test_git_says_where_it_is(shells, grown):
    payload = job(grown, "git status", "git branch")
    desk = Desk(payload)
    await asyncio.wait_for(run(shells, desk), 60)
    assert f"\nHEAD detached at {grown[1][:7]}\nnothing to commit, working tree clean\n" in desk.log(payload)
    assert f"\n* (HEAD detached at {grown[1][:7]})\n" in desk.log(payload)


async def test_the_rest_can_be_fetched(shells, grown, tmp_path):
    first = git(tmp_path / "repository", "rev-parse", "HEAD~3").strip()
    payload = job(grown, f"git fetch -q origin {first}", "git fetch -q --unshallow", "git describe --tags HEAD~3")
    payload.git_info.depth = 1
    desk = Desk(payload)
    await asyncio.wait_for(run(shells, desk), 60)
    assert "\nold\n" in desk.log(payload)


async def test_a_tag_is_the_tag_that_was_made(shells, grown, tmp_path):
    sha = git(tmp_path / "repository", "rev-parse", "v1^{commit}").strip()
    payload = job((grown[0], sha), "git describe", "git tag -l --format='says %(contents:subject)' v1")
    payload.git_info.ref, payload.git_info.ref_type = "v1", "tag"
    desk = Desk(payload)
    await asyncio.wait_for(run(shells, desk), 60)
    assert "\nv1\n" in desk.log(payload)
    assert "\nsays The first\n" in desk.log(payload)


@pytest.mark.parametrize("depth", ["0", "2", "1"])
async def test_the_copy_for_pods_holds_the_same(grown, tmp_path, depth):
    workspace = Workspace()
    copies = RepositoryCopies(workspace)
    repository = tmp_path / "repository"
    info = GitInfo(grown[0], "main", grown[1], "0" * 40)
    copy = await copies.copy(repository, info, int(depth))
    look = LOOK.replace("HEAD", grown[1]) + f" {grown[1]}"
    found = await asyncio.to_thread(subprocess.check_output, look, shell=True, cwd=copy, text=True)
    assert found.startswith(SEEN[depth])
    tagged = GitInfo(grown[0], "v1", git(repository, "rev-parse", "v1^{commit}").strip(), "0" * 40, "tag")
    assert git(await copies.copy(repository, tagged, int(depth)), "cat-file", "-t", "v1") == "tag\n"
    fresh = GitInfo(grown[0], "unmade", grown[1], "0" * 40, "tag")
    assert git(await copies.copy(repository, fresh, int(depth)), "rev-parse", "unmade").strip() == grown[1]
    await copies.close()
    workspace.close()


async def test_a_long_history_is_looked_at_whole(tmp_path, monkeypatch):
    from shipline.runner import history

    monkeypatch.setattr(history, "LISTED", 2)
    folder = Path(tmp_path)
    git(folder, "init", "-q", "-b", "main")
    for number in range(12):
        git(folder, "commit", "-q", "--allow-empty", "-m", str(number))
        if number == 5:
            git(folder, "checkout", "-q", "-b", "side", "HEAD~4")
            git(folder, "commit", "-q", "--allow-empty", "-m", "side")
            git(folder, "checkout", "-q", "main")
            git(folder, "merge", "-q", "--no-ff", "-m", "merge", "side")
    sha = git(folder, "rev-parse", "HEAD").strip()
    shallow = tmp_path / "shallow"
    git(folder, "clone", "-q", "--depth", "9", f"file://{folder}", str(shallow))
    expected = set((shallow / ".git" / "shallow").read_text().split())
    seen, edge = await history.near(folder, sha, 9)
    assert edge == expected
    assert seen == set(git(shallow, "rev-list", "HEAD").split())
