"""Branches, tags, commits and files of a bare repository, read with git; all of it blocks: for a thread."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec

from shipline.engine.git import GitCall, GitError

FIELDS = "%H%x00%P%x00%an%x00%ae%x00%at %ai%x00%cn%x00%ce%x00%ct %ci%x00%B"
SEPARATOR = "%x1e"


class GitCommit(msgspec.Struct, frozen=True):
    """A commit. Times are ISO 8601 with the person's own offset."""

    sha: str
    parents: list[str]
    author_name: str
    author_email: str
    authored: str
    committer_name: str
    committer_email: str
    committed: str
    message: str


class GitRef(msgspec.Struct, frozen=True):
    """A branch or tag: `target` is what it names, which for an annotated tag is no commit; `message` its own."""

    name: str
    target: str
    sha: str
    message: str
    created: str | None


def commits(path: Path, *arguments: str, below: Sequence[str] = ()) -> list[GitCommit]:
    """What `git log` lists with these arguments, of the commits that touch a path where some are given. Raises
    GitError."""
    words = ("--literal-pathspecs", "log", f"--format={FIELDS}{SEPARATOR}", *arguments, "--", *below)
    text = GitCall(path, *words).output()
    return [_commit(part.lstrip("\n")) for part in text.decode(errors="replace").split("\x1e") if part.strip()]


def commit(path: Path, name: str) -> GitCommit | None:
    """The commit that a branch, tag or id names."""
    if not name or name.startswith("-") or "\n" in name or ".." in name:
        return None
    try:
        return next(iter(commits(path, "-1", name)), None)
    except GitError:
        return None


def commits_of(path: Path, refs: Sequence[GitRef]) -> dict[str, GitCommit]:
    """The commits of branches or tags, by their ids."""
    shas = sorted({ref.sha for ref in refs})
    return {found.sha: found for found in commits(path, "--no-walk", *shas)} if shas else {}


def branches(path: Path) -> list[GitRef]:
    return _refs(path, "refs/heads/")


def tags(path: Path) -> list[GitRef]:
    return _refs(path, "refs/tags/")


def diff_stats(path: Path, sha: str) -> tuple[int, int]:
    """Lines added and removed by a commit."""
    text = GitCall(path, "show", "--numstat", "--format=", sha, "--").output(missing=b"").decode(errors="replace")
    numbers = [line.split("\t")[:2] for line in text.splitlines() if line]
    return sum(int(n[0]) for n in numbers if n[0] != "-"), sum(int(n[1]) for n in numbers if n[1] != "-")


def _refs(path: Path, prefix: str) -> list[GitRef]:
    wanted = "%(refname)%00%(objectname)%00%(*objectname)%00%(objecttype)%00%(contents)%00%(taggerdate:iso-strict)"
    text = GitCall(path, "for-each-ref", f"--format={wanted}%1e", prefix).output().decode(errors="replace")
    refs = []
    for part in text.split("\x1e"):
        if not part.strip():
            continue
        name, target, peeled, kind, message, created = part.lstrip("\n").split("\0")
        own = message.rstrip("\n") if kind == "tag" else ""
        refs.append(GitRef(name.removeprefix(prefix), target, peeled or target, own, created or None))
    return refs


def _commit(text: str) -> GitCommit:
    sha, parents, an, ae, at, cn, ce, ct, message = text.split("\0", 8)
    return GitCommit(sha, parents.split(), an, ae, _time(at), cn, ce, _time(ct), message)


def _time(text: str) -> str:
    """`<seconds> <date> <time> <+hhmm>` as GitLab writes it."""
    seconds, *_, zone = text.split(" ")
    minutes = int(zone[1:3]) * 60 + int(zone[3:5])
    offset = timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))
    return datetime.fromtimestamp(int(seconds), offset).isoformat(timespec="milliseconds")
