"""The commits of one branch put on another, without a working tree. All of it blocks: for a thread."""

from __future__ import annotations

from pathlib import Path

from shipline.engine.git import GitCall
from shipline.server.git.writing import Person, commit_tree, move_branch, picked


def rebase(path: Path, branch: str, tip: str, onto: str, who: Person) -> str | None:
    """Makes the branch, which is at `tip`, what `onto` has and then its own commits, merges left out; gives where
    it then is. Their authors and the times of these stay; `who` has committed them. None where a commit does not
    fit. Raises GitError, also when the branch has moved meanwhile."""
    words = ("rev-list", "--reverse", "--no-merges", "--topo-order", f"{onto}..{tip}", "--")
    head = onto
    for sha in GitCall(path, *words).output().decode().split():
        parent = GitCall(path, "rev-parse", "-q", "--verify", f"{sha}^").output(missing=b"").decode().strip()
        tree = picked(path, head, sha, parent, back=False) if parent else None
        if tree is None:
            return None
        if tree == GitCall(path, "rev-parse", f"{head}^{{tree}}").output().decode().strip():
            continue  # It is there already.
        head = _again(path, tree, head, sha, who)
    move_branch(path, branch, tip, head)
    return head


def _again(path: Path, tree: str, parent: str, sha: str, who: Person) -> str:
    """A commit like another one, of another tree and parent."""
    out = GitCall(path, "log", "-1", "--format=%an%x00%ae%x00%ad%x00%B", "--date=raw", sha, "--").output()
    name, email, date, message = out.decode(errors="replace").split("\0", 3)
    return commit_tree(path, tree, [parent], message.rstrip("\n") + "\n", Person(name, email, date), who)
