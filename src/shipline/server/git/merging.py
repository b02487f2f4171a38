"""One branch made part of another, without a working tree. All of it blocks: for a thread."""

from __future__ import annotations

from pathlib import Path

import msgspec

from shipline.engine.git import GitCall
from shipline.server.git.writing import Person, commit_tree, move_branch


class Merged(msgspec.Struct, frozen=True):
    """The commits that were made: of the merge, and of all changes in one where that was asked for."""

    merge: str
    squash: str | None


def fits(path: Path, target: str, source: str) -> str | None:
    """The tree of two commits merged; None where they conflict."""
    out = GitCall(path, "merge-tree", "--write-tree", target, source).output(missing=b"")
    return out.decode().split("\n", 1)[0].strip() or None


def merge(
    path: Path, branch: str, target: str, source: str, message: str, squashed: str | None, base: str, who: Person
) -> Merged | None:
    """Makes the branch, which is at `target`, a merge of it with `source`; None where the two conflict. `squashed`:
    the message of the one commit that stands for all since `base`. Raises GitError, also when the branch has moved
    meanwhile."""
    if squashed is not None:
        source = commit_tree(path, f"{source}^{{tree}}", [base], squashed, who, who)
    tree = fits(path, target, source)
    if tree is None:
        return None
    made = commit_tree(path, tree, [target, source], message, who, who)
    move_branch(path, branch, target, made)
    return Merged(made, source if squashed is not None else None)
