"""Where the submodules of a commit of this machine's repository are.

Their addresses are as `.gitmodules` has them: relative to the repository's own, or a path of this machine. In a
job's place the repository is a copy, and a pod has no path of this machine at all; so each such address is led to
where the module can be had: the repository that it names, else the one that git keeps of it below `.git/modules`,
else, for a relative one, what it means beside the repository's own origin. Addresses of servers are left alone.
"""

from __future__ import annotations

import posixpath
from pathlib import Path

import msgspec

from shipline.runner.errors import JobFailed
from shipline.runner.process import run_git

DEEPEST = 20  # modules in modules


class Module(msgspec.Struct, frozen=True):
    """`url`: the address as git works it out in the job. It is had from the `repository` of this machine, which has
    the commit `sha`, or else from the address `remote`."""

    url: str
    sha: str
    repository: Path | None = None
    remote: str = ""


async def local_modules(repository: Path, sha: str, *, recursive: bool) -> list[Module]:
    """The submodules of the commit that are not on a server of their own; those of submodules too."""
    found: dict[str, Module] = {}
    await _modules(repository, f"file://{repository}", sha, DEEPEST if recursive else 1, found)
    return list(found.values())


async def _modules(repository: Path, base: str, sha: str, depth: int, found: dict[str, Module]) -> None:
    for name, (path, written) in (await _written(repository, sha)).items():
        url = _resolved(base, written) if written.startswith(("./", "../")) else written
        place = _path(url)
        commit = await _commit(repository, sha, path)
        if place is None or not commit or url in found:
            continue
        common = (await _asked(repository, "rev-parse", "--git-common-dir")).strip()
        for candidate in (Path(place), repository / common / "modules" / name):
            if await _has(candidate, commit):
                found[url] = Module(url, commit, candidate)
                if depth > 1:
                    await _modules(candidate, url, commit, depth - 1, found)
                break
        else:
            origin = (await _asked(repository, "config", "--get", "remote.origin.url")).strip()
            if url != written and origin and _path(origin) is None:
                found[url] = Module(url, commit, remote=_resolved(origin, written))


async def _written(repository: Path, sha: str) -> dict[str, tuple[str, str]]:
    """Path and address of each submodule, by name."""
    listed = await _asked(repository, "config", "--blob", f"{sha}:.gitmodules", "-z", "--list")
    settings: dict[str, dict[str, str]] = {}
    for entry in listed.split("\0"):
        key, _, value = entry.partition("\n")
        kind, _, rest = key.partition(".")
        name, _, setting = rest.rpartition(".")
        if kind == "submodule" and ".." not in name.split("/"):
            settings.setdefault(name, {})[setting] = value
    return {name: (each["path"], each["url"]) for name, each in settings.items() if {"path", "url"} <= each.keys()}


async def _commit(repository: Path, sha: str, path: str) -> str:
    """The commit of the module at a path; empty where none is there."""
    entry = await _asked(repository, "ls-tree", sha, "--", path)
    words = entry.split()
    return words[2] if words[:2] == ["160000", "commit"] else ""


async def _has(repository: Path, sha: str) -> bool:
    return bool(await _asked(repository, "rev-parse", "--verify", "-q", f"{sha}^{{commit}}"))


async def _asked(repository: Path, *words: str) -> str:
    """What git answers; nothing where there is nothing."""
    try:
        return await run_git("-C", str(repository), *words)
    except JobFailed:
        return ""


def _path(url: str) -> str | None:
    """The path of this machine that an address is; None for a server's."""
    if url.startswith("file://"):
        return url.removeprefix("file://")
    return url if url.startswith("/") else None


def _resolved(base: str, relative: str) -> str:
    """A relative address beside another, as `git submodule` does it."""
    base = base.rstrip("/")
    while True:
        if relative.startswith("../"):
            relative = relative[3:]
            scp = ":" in base.rpartition("/")[2]  # git@host:path has no slash before its path
            base = posixpath.dirname(base) if "/" in base and not scp else base.rpartition(":")[0] + ":"
        elif relative.startswith("./"):
            relative = relative[2:]
        else:
            break
    return f"{base}{'' if base.endswith(':') else '/'}{relative.rstrip('/')}"
