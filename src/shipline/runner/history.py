"""What a job sees of the history of a repository on this machine: ancestors to a depth, and the names they have.

As with a fetch from a server: without a depth all of it, with every branch and tag; else the commits that are so
near, and the tags that stand on one of them.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

from shipline.protocol.payload import GitInfo
from shipline.runner.process import run_git

LISTED = 2000
"""Commits that are looked at first; a deeper look takes the whole history."""
FORM = "%(objectname) %(*objectname) %(refname)"


class History(NamedTuple):
    """`shallow` are the commits whose parents are not seen; `refs` gives each ref's object."""

    shallow: set[str]
    refs: dict[str, str]


async def seen_history(repository: Path, git: GitInfo, depth: int) -> History:
    """What a job of this commit sees; `depth` 0 is everything. JobFailed when the commit isn't there."""
    kinds = ["refs/tags"] if depth else ["refs/tags", "refs/heads"]
    listing = run_git("-C", str(repository), "for-each-ref", f"--format={FORM}", *kinds)
    (seen, shallow), listed = await asyncio.gather(near(repository, git.sha, depth), listing)
    own = f"refs/tags/{git.ref}" if git.ref_type == "tag" else f"refs/remotes/origin/{git.ref}"
    refs = {own: git.sha}
    for line in listed.splitlines():
        name, peeled, ref = line.split(" ", 2)
        commit = peeled or name
        if ref == own:
            refs[own] = name if commit == git.sha else git.sha
        elif ref.startswith("refs/heads/"):
            refs.setdefault(f"refs/remotes/origin/{ref.removeprefix('refs/heads/')}", name)
        elif not depth or commit in seen:
            refs[ref] = name
    return History(shallow, refs)


async def near(repository: Path, sha: str, depth: int) -> tuple[set[str], set[str]]:
    """The commits at most `depth` - 1 steps from one, and those on the edge; both empty where `depth` is 0."""
    if not depth:
        return set(), set()
    for limit in ([f"--max-count={max(LISTED, 4 * depth)}"], []):
        listed = await run_git("-C", str(repository), "rev-list", "--parents", *limit, sha)
        parents = {first: rest for first, *rest in (line.split() for line in listed.splitlines())}
        edge = seen = {sha}
        try:
            for _ in range(depth - 1):
                edge = {parent for commit in edge for parent in parents[commit]} - seen
                seen = seen | edge
            return seen, {commit for commit in edge if parents[commit]}
        except KeyError:  # beyond what was listed
            continue
    return seen, set()
