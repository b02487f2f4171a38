"""Git LFS objects of a commit of this machine's repository: those that it has, and the rest from its own remote.

They go into a folder of the runner's. The repository is never written to, and a job needs no way to the remote.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from shipline.runner.errors import JobFailed
from shipline.runner.process import found_program, run_git

POINTER = "^oid sha256:[0-9a-f]{64}$"
ATTRIBUTE = "filter=lfs"
PLAIN = tuple(part for key in ("smudge=", "process=", "required=false") for part in ("-c", f"filter.lfs.{key}"))
"""git's arguments with which a checkout gets pointers, whatever the user's settings say."""


async def bring_large_files(repository: Path, sha: str, storage: Path) -> bool:
    """Puts the commit's objects into `storage`, in the form of a `.git/lfs`; gives whether the commit wants any.
    JobFailed when one cannot be had."""
    if not await _grep(repository, ATTRIBUTE, sha, "--", ".gitattributes", "*/.gitattributes"):
        return False
    found = await _grep(repository, POINTER, sha)
    names = {line.removeprefix("oid sha256:") for line in found.splitlines()}
    common = await run_git("-C", str(repository), "rev-parse", "--git-common-dir")
    stored = repository / common.strip() / "lfs" / "objects"
    if missing := await asyncio.to_thread(_link, stored, storage / "objects", names):
        await _fetch(repository, sha, storage, missing)
    return True


async def _grep(repository: Path, pattern: str, *where: str) -> str:
    try:
        return await run_git("-C", str(repository), "grep", "-h", "-I", "-E", pattern, *where)
    except JobFailed:  # it finds nothing
        return ""


def _link(stored: Path, target: Path, names: set[str]) -> int:
    """Gives how many of the objects are not stored."""
    import os
    import shutil

    missing = 0
    for name in names:
        source, place = (folder / name[:2] / name[2:4] / name for folder in (stored, target))
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, place)
        except FileNotFoundError:
            missing += 1
        except OSError:  # another file system
            shutil.copyfile(source, place)
    return missing


async def _fetch(repository: Path, sha: str, storage: Path, missing: int) -> None:
    """`git lfs` asks the remote as it would in the repository: with its settings, but from a place of our own."""
    what = f"{missing} Git LFS object{'s' if missing > 1 else ''} of commit {sha[:8]}"
    if found_program("git-lfs") is None:
        raise JobFailed(
            f"{what} cannot be fetched: install git-lfs, or give the job GIT_LFS_SKIP_SMUDGE: 1",
            "runner_system_failure",
        )
    settings = await run_git("-C", str(repository), "config", "--local", "--list", "-z")
    remotes = (await run_git("-C", str(repository), "remote")).split()
    if not remotes:
        raise JobFailed(
            f"{what} cannot be had: {repository} has neither them nor a remote", "runner_system_failure"
        )
    remote = "origin" if "origin" in remotes else remotes[0]
    failure = f"{what} cannot be fetched from the remote {remote} of {repository}"
    objects = await run_git("-C", str(repository), "rev-parse", "--path-format=absolute", "--git-path", "objects")
    asking = storage.with_name(f"{storage.name}-fetch")
    form = await run_git("-C", str(repository), "rev-parse", "--show-object-format")
    await run_git("init", "-q", "--bare", "--template=", f"--object-format={form.strip()}", str(asking))
    (asking / "objects" / "info").mkdir(exist_ok=True)
    (asking / "objects" / "info" / "alternates").write_text(objects)
    (asking / "HEAD").write_text(f"{sha}\n")
    with (asking / "config").open("a") as config:
        config.writelines(_setting(entry) for entry in settings.split("\0") if entry)
    await asyncio.to_thread(_move, storage / "objects", asking / "lfs" / "objects")
    await run_git("-C", str(asking), "lfs", "fetch", remote, sha, failure=failure)
    await asyncio.to_thread(_move, asking / "lfs" / "objects", storage / "objects")


def _setting(entry: str) -> str:
    """One of the repository's settings as git writes it; none of those that describe the repository itself."""
    key, _, value = entry.partition("\n")
    section, _, rest = key.partition(".")
    group, _, name = rest.rpartition(".")
    if section in ("core", "extensions") or key == "lfs.storage":
        return ""
    heading = f'{section} "{_escaped(group)}"' if group else section
    return f'[{heading}]\n\t{name} = "{_escaped(value)}"\n'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
