"""Files that Git LFS keeps: had from the repository or from its remote, or left as pointers."""

import asyncio
import os
import shutil
import subprocess

import pytest
from tests.runner.desk import Desk, job, repository, run

from shipline.protocol.payload import Variable

CONTENT = "the large content\n" * 100
SKIP = [Variable("GIT_LFS_SKIP_SMUDGE", "1", public=True)]
ATTRIBUTES = "*.bin filter=lfs diff=lfs merge=lfs -text\n"


def git(folder, *words: str) -> str:
    environment = os.environ | {"GIT_LFS_SKIP_SMUDGE": "1"}
    return subprocess.check_output(["git", *words], cwd=folder, text=True, env=environment)


@pytest.fixture
def original(tmp_path):
    """A repository that has the objects; what says that files are large stands in a folder, not at the top."""
    folder = tmp_path / "original"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "lfs", "install", "--local", "--skip-smudge")
    return repository(folder, {"data/.gitattributes": ATTRIBUTES, "data/large.bin": CONTENT})


@pytest.fixture
def clone(tmp_path, original):
    """A clone with pointers only, whose remote has the objects."""
    url, sha = original
    remote, folder = tmp_path / "remote.git", tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--bare", url, str(remote))
    shutil.copytree(tmp_path / "original/.git/lfs/objects", remote / "lfs" / "objects")
    git(tmp_path, "clone", "-q", str(remote), str(folder))
    (folder / ".git" / "lfs").mkdir(exist_ok=True)
    return f"file://{folder}", sha


async def ran(config, payload):
    desk = Desk(payload)
    await asyncio.wait_for(run(config, desk), 60)
    return desk.log(payload), desk.results[payload.id]


def stored(folder) -> list:
    return sorted((folder / ".git" / "lfs").rglob("*"))


LOOK = [f"[ $(wc -c < data/large.bin) = {len(CONTENT)} ]", '[ -z "$(git status --short)" ]']


@pytest.mark.parametrize(
    "variables", [[], [Variable("GIT_STRATEGY", "clone"), Variable("GIT_SUBMODULE_STRATEGY", "normal")]]
)
async def test_a_shell_job_gets_what_the_repository_has(shells, original, variables):
    log, result = await ran(shells, job(original, *LOOK, variables=variables))
    assert result.state == "success", log


async def test_what_the_repository_lacks_comes_from_its_remote(shells, clone, tmp_path):
    before = stored(tmp_path / "clone")
    log, result = await ran(shells, job(clone, "cat data/large.bin"))
    assert result.state == "success", log
    assert CONTENT in log
    assert stored(tmp_path / "clone") == before, "the user's repository is not written to"


async def test_a_job_that_does_not_want_them_gets_pointers(shells, original):
    log, result = await ran(shells, job(original, "cat data/large.bin; git status --short", variables=SKIP))
    assert result.state == "success", log
    assert "version https://git-lfs.github.com/spec/v1\n" in log
    assert "the large content" not in log


async def test_what_nobody_has_is_named(shells, clone, tmp_path):
    shutil.rmtree(tmp_path / "remote.git" / "lfs")
    log, result = await ran(shells, job(clone, "cat data/large.bin"))
    assert result.failure_reason == "runner_system_failure"
    assert "1 Git LFS object of commit" in log and "cannot be fetched from the remote origin" in log
    log, result = await ran(shells, job(clone, "cat data/large.bin", variables=SKIP))
    assert result.state == "success", log


@pytest.mark.engine
async def test_a_pod_gets_them_too(pods, clone):
    log, result = await ran(pods, job(clone, "cat data/large.bin"))
    assert result.state == "success", log
    assert CONTENT in log
    log, result = await ran(pods, job(clone, "cat data/large.bin", variables=SKIP))
    assert result.state == "success", log
    assert "version https://git-lfs.github.com/spec/v1\n" in log
