"""A repository on this machine as jobs get it: a shallow bare copy of one commit, made once, never the user's own.

A job takes its copy over as its .git, so the copy's settings are those of a checkout. The copy is made with the
git program through `git upload-pack`, so nothing is written to the user's repository, and it holds what a job may
see: the commit, its history to the depth asked for with the tags on it, and its branch or tag; without a depth,
all branches and tags.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from shipline.protocol.payload import GitInfo
from shipline.runner.large_files import bring_large_files
from shipline.runner.process import run_git
from shipline.runner.workspace import Workspace

if TYPE_CHECKING:
    from tarfile import TarInfo

SERVE = "git -c safe.directory=* -c uploadpack.allowAnySHA1InWant=true -c uploadpack.allowFilter=true upload-pack"

JOB = "refs/shipline/job"
EVERYTHING = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")

CONFIG = """\
[core]
	repositoryformatversion = {version}
	bare = false
	filemode = true
{extension}[gc]
	auto = 0
[remote "origin"]
	url = file://{repository}
	uploadpack = {serve}
	pushurl = the repository that the job was made from is not written to
	fetch = +refs/heads/*:refs/remotes/origin/*
"""


def checkout_config(repository: Path, git: GitInfo) -> str:
    """The text of .git/config for a checkout of a repository on this machine: it can be fetched from, not pushed
    to."""
    sha256 = git.repo_object_format == "sha256"
    extension = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
    return CONFIG.format(version=1 if sha256 else 0, extension=extension, repository=repository, serve=SERVE)


def local_path(url: str) -> Path | None:
    """The folder that a `file://` URL names; None for a URL of any other kind."""
    if not url.startswith("file://"):
        return None
    path = url.removeprefix("file://")
    if "%" in path:
        from urllib.parse import unquote

        path = unquote(path)
    return Path(path)


class RepositoryCopies:
    """Copies by repository, commit, ref and depth, with Git LFS objects or without. Jobs that want the same one
    wait for one copy."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._copies: dict[tuple[object, ...], asyncio.Task[Path]] = {}
        self._archives: dict[Path, asyncio.Task[Path]] = {}

    async def copy(self, repository: Path, git: GitInfo, depth: int, large: bool = True) -> Path:
        """The bare copy's folder. JobFailed when the commit isn't there, or one of its `large` files."""
        key = (repository, git.sha, git.ref, git.ref_type, depth, large)
        if key not in self._copies:
            folder = self._workspace.path / f"sources-{len(self._copies)}.git"
            self._copies[key] = asyncio.create_task(_copy(repository, git, depth, large, folder))
        return await asyncio.shield(self._copies[key])

    async def archive(self, repository: Path, git: GitInfo, depth: int, large: bool) -> Path:
        """The bare copy as a tar file."""
        folder = await self.copy(repository, git, depth, large)
        if folder not in self._archives:
            self._archives[folder] = asyncio.create_task(asyncio.to_thread(_archive, folder))
        return await asyncio.shield(self._archives[folder])

    async def module(self, repository: Path, git: GitInfo, depth: int, large: bool) -> Path:
        """The same of a submodule, which is cloned where it comes to: its commit is on a branch."""
        folder = await self.copy(repository, git, depth, large)
        (folder / "refs" / "heads" / git.ref).write_text(f"{git.sha}\n")
        (folder / "HEAD").write_text(f"ref: refs/heads/{git.ref}\n")
        return await self.archive(repository, git, depth, large)

    async def close(self) -> None:
        """Gives up what is still being made."""
        making: list[asyncio.Task[Path]] = [*self._copies.values(), *self._archives.values()]
        for task in making:
            task.cancel()
        await asyncio.gather(*making, return_exceptions=True)


async def _copy(repository: Path, git: GitInfo, depth: int, large: bool, folder: Path) -> Path:
    limit = ["--depth", str(depth)] if depth > 0 else []
    await run_git("init", "-q", "--bare", "--template=", f"--object-format={git.repo_object_format}", str(folder))
    tagged = git.ref_type == "tag"
    own = f"refs/tags/{git.ref}" if tagged else f"refs/remotes/origin/{git.ref}"
    alone = depth > 0 and not tagged  # no other ref that is fetched can have the same name
    # one pack travels faster than many objects
    fetch = ["-c", "fetch.unpackLimit=1", "fetch", "-q", "--no-auto-gc", "--upload-pack", SERVE, *limit]
    await run_git(
        *("-C", str(folder), *fetch, f"file://{repository}"),
        *(f"+{git.sha}:{own if alone else JOB}", *([] if depth > 0 else EVERYTHING)),
        failure=f"the commit {git.sha[:8]} cannot be read from the repository {repository}",
    )
    if not alone:
        there = await run_git("-C", str(folder), "for-each-ref", "--format=%(objectname) %(*objectname)", own)
        if git.sha not in there.split():
            await run_git("-C", str(folder), "update-ref", own, git.sha)
        await run_git("-C", str(folder), "update-ref", "-d", JOB)
    (folder / "config").write_text(checkout_config(repository, git))
    if large:
        await bring_large_files(repository, git.sha, folder / "lfs")
    return folder


def _archive(folder: Path) -> Path:
    import tarfile

    path = folder.with_suffix(".tar")
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(folder, arcname=".", filter=_anonymous)
    return path


def _anonymous(member: TarInfo) -> TarInfo:
    """Nobody's user on this machine is anybody in the pod."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
