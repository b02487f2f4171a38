"""Submodules that are repositories of this machine: jobs in shells and pods get them, however they are named."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.runner.desk import Desk, job, repository, run

from shipline.protocol.payload import Variable
from shipline.runner.modules import local_modules

LOOK = "cat part/part.txt; cat part/inner/inner.txt; git -C part remote get-url origin"


@pytest.fixture(params=["shells", pytest.param("pods", marks=pytest.mark.engine)])
def runner(request):
    """A runner of either kind."""
    return request.getfixturevalue(request.param)


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always"]
    command = ["git", "-C", folder, *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def with_modules(folder: Path, address: str = "../part") -> tuple[str, str]:
    """A repository that has `part` as a submodule, which has `inner` as one, all beside each other; gives its URL
    and commit."""
    repository(folder / "inner", {"inner.txt": "from the inner module\n"})
    repository(folder / "part", {"part.txt": "from the module\n"})
    git(folder / "part", "submodule", "add", "-q", "../inner", "inner")
    git(folder / "part", "commit", "-qm", "with a module")
    url, _ = repository(folder / "whole", {"a": "a\n"})
    git(folder / "whole", "submodule", "add", "-q", address.format(folder), "part")
    git(folder / "whole", "submodule", "update", "-q", "--init", "--recursive")
    git(folder / "whole", "commit", "-qm", "with a module")
    return url, git(folder / "whole", "rev-parse", "HEAD")


async def ran(config, source, strategy, *script):
    payload = job(
        source, *script, image="shipline/helper", variables=[Variable("GIT_SUBMODULE_STRATEGY", strategy)]
    )
    desk = Desk(payload)
    await asyncio.wait_for(run(config, desk), 90)
    return desk.log(payload), desk.results[payload.id]


@pytest.mark.parametrize("address", ["../part", "{0}/part", "file://{0}/part"])
async def test_modules_in_modules(runner, tmp_path, address):
    source = with_modules(tmp_path, address)
    log, result = await ran(runner, source, "recursive", LOOK)
    assert result.state == "success", log
    assert "\nfrom the module\nfrom the inner module\n" in log
    assert f"\n{address.format(tmp_path) if address != '../part' else f'file://{tmp_path}/part'}\n" in log
    assert git(tmp_path / "part", "status", "--short") == git(tmp_path / "whole", "status", "--short") == ""


async def test_normal_leaves_modules_in_modules_alone(runner, tmp_path):
    log, result = await ran(runner, with_modules(tmp_path), "normal", "cat part/part.txt; ls part/inner | wc -l")
    assert result.state == "success" and "\nfrom the module\n0\n" in log, log


async def test_a_module_that_git_keeps_in_the_repository_will_do(runner, tmp_path):
    source = with_modules(tmp_path)
    shutil.rmtree(tmp_path / "part")
    shutil.rmtree(tmp_path / "inner")
    log, result = await ran(runner, source, "recursive", LOOK)
    assert result.state == "success" and "\nfrom the inner module\n" in log, log


async def test_a_relative_address_means_what_it_means_at_the_origin(tmp_path):
    url, sha = with_modules(tmp_path)
    folder = Path(url.removeprefix("file://"))
    git(folder, "remote", "add", "origin", "git@git.example.com:group/whole.git")
    shutil.rmtree(tmp_path / "part")
    shutil.rmtree(folder / ".git" / "modules")
    (module,) = await local_modules(folder, sha, recursive=True)
    assert (module.url, module.remote) == (f"file://{tmp_path}/part", "git@git.example.com:group/part")


async def test_a_server_s_module_is_left_alone(tmp_path):
    url, _ = with_modules(tmp_path)
    folder = Path(url.removeprefix("file://"))
    git(folder, "config", "-f", ".gitmodules", "submodule.part.url", "https://git.example.com/group/part")
    git(folder, "commit", "-qam", "elsewhere")
    assert await local_modules(folder, git(folder, "rev-parse", "HEAD"), recursive=True) == []
