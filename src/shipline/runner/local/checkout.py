"""A commit's files and a small .git of their own, made once per commit and copied for each job.

The copy's .git holds no objects: it points to those of the repository it came from, which is only read. Its remote
can be fetched from and not pushed to.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from shipline.protocol.payload import GitInfo
from shipline.runner.history import seen_history
from shipline.runner.large_files import ATTRIBUTE, PLAIN, bring_large_files
from shipline.runner.local.snapshot import Snapshot
from shipline.runner.process import found_program, run_git
from shipline.runner.repository import checkout_config
from shipline.runner.workspace import Workspace

DETACHED = "{nothing} {sha} Shipline <shipline@localhost> 1 +0000\tcheckout: moving from none to {sha}\n"
"""What makes `git status` say at which commit HEAD is detached."""
LARGE_FILES = """\
[filter "lfs"]
	clean = git-lfs clean -- %f
	smudge = git-lfs smudge -- %f
	process = git-lfs filter-process
	required = true
"""


class Checkouts:
    """Checkouts by repository, commit, ref and depth, with Git LFS objects or with pointers to them."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._made: dict[tuple[object, ...], asyncio.Task[Snapshot]] = {}

    async def place(self, repository: Path, git: GitInfo, depth: int, large: bool, project: Path) -> None:
        """Makes `project` a fresh checkout. JobFailed when the commit isn't in the repository."""
        key = (repository, git.sha, git.ref, git.ref_type, depth, large)
        if key not in self._made:
            folder = self._workspace.path / f"checkout-{len(self._made)}"
            self._made[key] = asyncio.create_task(_make(repository, git, depth, large, folder))
        snapshot = await asyncio.shield(self._made[key])
        if snapshot.is_large:
            await asyncio.to_thread(snapshot.write, str(project))
        else:
            snapshot.write(str(project))

    async def close(self) -> None:
        """Gives up what is still being made."""
        for task in self._made.values():
            task.cancel()
        await asyncio.gather(*self._made.values(), return_exceptions=True)


async def _make(repository: Path, git: GitInfo, depth: int, large: bool, folder: Path) -> Snapshot:
    common = await _common_folder(repository)
    own = folder / ".git"
    for made in (own / "objects" / "info", own / "refs"):
        made.mkdir(parents=True, exist_ok=True)
    objects = (common / "objects").resolve()
    (own / "objects" / "info" / "alternates").write_text(f"{objects}\n")
    (own / "config").write_text(checkout_config(repository, git))
    (own / "HEAD").write_text(f"{git.sha}\n")
    (own / "logs").mkdir()
    (own / "logs" / "HEAD").write_text(DETACHED.format(nothing="0" * len(git.sha), sha=git.sha))
    missing = f"the commit {git.sha[:8]} cannot be checked out from {repository}"
    files = run_git(*PLAIN, "-C", str(folder), "read-tree", "--reset", "-u", git.sha, failure=missing)
    files_made, history = await asyncio.gather(files, seen_history(repository, git, depth), return_exceptions=True)
    if isinstance(files_made, BaseException):  # it has the clearer words
        raise files_made
    if isinstance(history, BaseException):
        raise history
    refs = "".join(f"{name} {ref}\n" for ref, name in history.refs.items())
    (own / "packed-refs").write_text(refs, errors="surrogateescape")
    edge = common / "shallow"  # the repository's own, beyond which it knows nothing itself
    shallow = history.shallow.union(edge.read_text().split() if edge.exists() else ())
    if shallow:
        (own / "shallow").write_text("".join(f"{commit}\n" for commit in sorted(shallow)))
    if ((common / "lfs").is_dir() or _says_large(folder / ".gitattributes")) and found_program("git-lfs"):
        with (own / "config").open("a") as config:
            config.write(LARGE_FILES)
        storage = folder.with_suffix(".lfs")
        if large and await bring_large_files(repository, git.sha, storage):
            await run_git("-C", str(folder), "-c", f"lfs.storage={storage}", "lfs", "checkout", failure=missing)
    return await asyncio.to_thread(Snapshot, str(folder))


def _says_large(attributes: Path) -> bool:
    return attributes.is_file() and ATTRIBUTE.encode() in attributes.read_bytes()


async def _common_folder(repository: Path) -> Path:
    """Where a repository keeps its objects: its own .git, or that of which it is a worktree."""
    if (repository / ".git").is_dir():  # git need not be asked
        return repository / ".git"
    missing = f"{repository} is no git repository"
    folder = await run_git("-C", str(repository), "rev-parse", "--git-common-dir", failure=missing)
    return repository / folder.strip()
