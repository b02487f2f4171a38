"""Commits made without a working tree: what the API changes in a repository. All of it blocks: for a thread."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from shipline.engine.git import GitCall, GitError, git, start
from shipline.engine.repository import NO_SHA


class Person(msgspec.Struct, frozen=True):
    """In whose name a commit is made. `date`: when, as git writes it raw; now where it is empty."""

    name: str
    email: str
    date: str = ""


class Action(msgspec.Struct, frozen=True):
    """One change of a commit. `executable` None: as it is."""

    action: str
    path: str
    content: bytes | None = None
    previous: str | None = None
    executable: bool | None = None
    last_commit: str | None = None


class Unwritable(Exception):
    """A change that cannot be made; the text is GitLab's."""


def commit(
    path: Path, parent: str | None, message: str, actions: Sequence[Action], author: Person, committer: Person
) -> str:
    """Makes a commit of the parent's files with these changes; gives its id. No branch names it yet. Raises
    Unwritable, GitError."""
    with tempfile.TemporaryDirectory(prefix="shipline-index-") as scratch:
        index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        git(path, "read-tree", *([parent] if parent else ["--empty"]), environment=index)
        for action in actions:
            _apply(path, index, parent, action)
        tree = git(path, "write-tree", environment=index)
    return commit_tree(path, tree, [parent] if parent else [], message, author, committer)


def commit_tree(
    path: Path, tree: str, parents: Sequence[str], message: str, author: Person, committer: Person
) -> str:
    """Makes a commit of a tree; gives its id."""
    names = _as_environment("AUTHOR", author) | _as_environment("COMMITTER", committer)
    above = [word for parent in parents for word in ("-p", parent)]
    out = _fed(path, message.encode(), "commit-tree", tree, *above, environment=names)
    return out.decode().strip()


def move_branch(path: Path, branch: str, old: str | None, new: str) -> None:
    """Makes the branch name another commit, unless it has moved meanwhile. Raises GitError."""
    git(path, "update-ref", f"refs/heads/{branch}", new, old or NO_SHA)


def picked(path: Path, onto: str, sha: str, parent: str, *, back: bool) -> str | None:
    """The tree of a commit with the change of another one made to it, or taken back; None where the two do not
    fit. The three are put on a history of their own, since older gits take the merge base from there alone."""
    base, theirs = (sha, parent) if back else (parent, sha)
    nobody = Person("nobody", "nobody@localhost")
    root = commit_tree(path, f"{base}^{{tree}}", [], "base", nobody, nobody)
    sides = [commit_tree(path, f"{side}^{{tree}}", [root], "side", nobody, nobody) for side in (onto, theirs)]
    out = GitCall(path, "merge-tree", "--write-tree", *sides).output(missing=b"")
    return out.decode().split("\n", 1)[0].strip() or None


def _apply(path: Path, index: Mapping[str, str], parent: str | None, action: Action) -> None:
    at = _mode_and_blob(path, index, action.previous or action.path)
    if action.last_commit and parent and _last_commit(path, parent, action.path) != action.last_commit:
        raise Unwritable("You are attempting to update a file that has changed since you started editing it.")
    if action.action == "create":
        if _mode_and_blob(path, index, action.path) is not None:
            raise Unwritable("A file with this name already exists")
        _put(path, index, action, _mode(action.executable, "100644"), _blob(path, action.content or b""))
        return
    if at is None:
        raise Unwritable("A file with this name doesn't exist")
    mode, blob = at
    if action.action == "delete":
        _remove(path, index, action.path)
    elif action.action == "chmod":
        _put(path, index, action, _mode(action.executable, mode), blob)
    else:
        if action.action == "move":
            if action.path != action.previous and _mode_and_blob(path, index, action.path) is not None:
                raise Unwritable("A file with this name already exists")
            _remove(path, index, action.previous or "")
        new = blob if action.content is None else _blob(path, action.content)
        _put(path, index, action, _mode(action.executable, mode), new)


def _remove(path: Path, index: Mapping[str, str], name: str) -> None:
    line = f"0 {NO_SHA}\t{name}\0"
    _fed(path, line.encode(), "update-index", "-z", "--index-info", environment=index)


def _put(path: Path, index: Mapping[str, str], action: Action, mode: str, blob: str) -> None:
    try:
        git(path, "update-index", "--add", "--cacheinfo", f"{mode},{blob},{action.path}", environment=index)
    except GitError:
        raise Unwritable("file_path should be a valid file path") from None


def _mode_and_blob(path: Path, index: Mapping[str, str], name: str) -> tuple[str, str] | None:
    out = git(path, "--literal-pathspecs", "ls-files", "--stage", "-z", "--", name, environment=index)
    for entry in out.split("\0"):
        head, _, found = entry.partition("\t")
        if found == name:
            mode, blob, _ = head.split(" ")
            return mode, blob
    return None


def _last_commit(path: Path, ref: str, name: str) -> str:
    return git(path, "--literal-pathspecs", "log", "-1", "--format=%H", ref, "--", name)


def _blob(path: Path, content: bytes) -> str:
    return _fed(path, content, "hash-object", "-w", "--stdin").decode().strip()


def _mode(executable: bool | None, otherwise: str) -> str:
    if executable is None:
        return otherwise
    return "100755" if executable else "100644"


def _fed(path: Path, text: bytes, *words: str, environment: Mapping[str, str] | None = None) -> bytes:
    """Runs git with something to read."""
    process = start(path, *words, stdin=subprocess.PIPE, environment=environment)
    out, err = process.communicate(text)
    if process.returncode:
        raise GitError(f"git {words[0]}: {err.decode(errors='replace').strip()}", err.decode(errors="replace"))
    return out


def _as_environment(role: str, person: Person) -> dict[str, str]:
    name = person.name.strip() or person.email
    at = {f"GIT_{role}_DATE": person.date} if person.date else {}
    return {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": person.email, **at}
