"""Files, trees, archives and differences of a bare repository, read with git; all of it blocks: for a thread."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from shipline.engine.git import GitCall, GitError, start

LARGEST_DIFF = 200_000
"""Bytes of one file's difference that are told; a longer one is only said to be too large."""
BLOCK = 1 << 16


class Entry(msgspec.Struct, frozen=True):
    """A file, folder (`tree`) or submodule (`commit`) in a commit; `mode` as git writes it."""

    mode: str
    kind: str
    sha: str
    path: str


class Difference(msgspec.Struct, frozen=True):
    """What became of one file."""

    old_path: str
    new_path: str
    old_mode: str
    new_mode: str
    status: str
    text: str
    too_large: bool


def resolve(path: Path, name: str) -> str | None:
    """The id of the commit that a branch, tag or id names; None when there is none."""
    if not name or name.startswith("-") or "\n" in name:
        return None
    out = GitCall(path, "rev-parse", "-q", "--verify", f"{name}^{{commit}}").output(missing=b"")
    return out.decode().strip() or None


def entry(path: Path, sha: str, name: str) -> Entry | None:
    """What is at a path of a commit."""
    out = GitCall(path, "--literal-pathspecs", "ls-tree", "-z", sha, "--", name.rstrip("/")).output(missing=b"")
    return next(iter(_entries(out)), None)


def tree(path: Path, sha: str, folder: str, *, recursive: bool) -> list[Entry] | None:
    """What is in a folder of a commit, folders first; None when there is no such folder."""
    folder = folder.strip("/")
    if folder:
        found = entry(path, sha, folder)
        if found is None or found.kind != "tree":
            return None
    words = ["-r", "-t"] if recursive else []
    names = ["--", f"{folder}/"] if folder else []
    out = GitCall(path, "--literal-pathspecs", "ls-tree", "-z", *words, sha, *names).output(missing=b"")
    found_entries = [item for item in _entries(out) if item.path != folder]
    return sorted(found_entries, key=lambda item: item.kind != "tree")


def blob(path: Path, sha: str) -> bytes | None:
    """The content of a blob by its id; None when it is none."""
    if GitCall(path, "cat-file", "-t", sha).output(missing=b"").strip() != b"blob":
        return None
    return GitCall(path, "cat-file", "blob", sha).output()


def last_commit(path: Path, sha: str, name: str) -> str:
    """The newest commit up to this one that touched a path."""
    out = GitCall(path, "--literal-pathspecs", "log", "-1", "--format=%H", sha, "--", name).output(missing=b"")
    return out.decode().strip() or sha


def differences(path: Path, old: str | None, new: str) -> list[Difference]:
    """How two commits differ, file by file; `old` None: everything in the new one is new."""
    pair = [old, new] if old else ["--root", new]
    words = ["diff-tree", "-r", "--no-commit-id", "-M", "--full-index"]
    raw = GitCall(path, *words, "--raw", "-z", *pair, "--").output().decode(errors="replace").split("\0")
    text = GitCall(path, *words, "-p", "--no-color", *pair, "--").output().decode(errors="replace")
    bodies = iter(_bodies(text))
    found, fields = [], iter(raw)
    for head in fields:
        if not head.startswith(":"):
            continue
        old_mode, new_mode, _, _, status = head[1:].split(" ")
        first = next(fields)
        second = next(fields) if status[0] in "RC" else first
        body = next(bodies, "")
        large = len(body) > LARGEST_DIFF
        found.append(Difference(first, second, old_mode, new_mode, status[0], "" if large else body, large))
    return found


def merge_base(path: Path, refs: list[str]) -> str | None:
    """The best common ancestor of commits."""
    out = GitCall(path, "merge-base", *refs).output(missing=b"")
    return out.decode().strip() or None


def count(path: Path, sha: str, *, first_parent: bool) -> int:
    """How many commits lead to this one, itself included."""
    words = ["--first-parent"] if first_parent else []
    return int(GitCall(path, "rev-list", "--count", *words, sha, "--").output())


def blame(path: Path, sha: str, name: str) -> list[tuple[str, list[str]]]:
    """The lines of a file in runs of one commit each. Raises GitError when there is no such file."""
    out = GitCall(path, "blame", "--line-porcelain", sha, "--", name).output().decode(errors="replace")
    runs: list[tuple[str, list[str]]] = []
    commit = ""
    for line in out.split("\n"):
        if line.startswith("\t"):
            if not runs or runs[-1][0] != commit:
                runs.append((commit, []))
            runs[-1][1].append(line[1:])
        elif (word := line.split(" ", 1)[0]) and len(word) in (40, 64) and _is_hex(word):
            commit = word
    return runs


def archive(path: Path, sha: str, kind: str, prefix: str, folder: str) -> Iterator[bytes]:
    """An archive of a commit's files, piece by piece. `kind`: `tar`, `tar.gz`, `tar.bz2` or `zip`."""
    names = ["--", folder] if folder else []
    form = "zip" if kind == "zip" else "tar"
    words = ["archive", f"--format={'tar.gz' if kind == 'tar.gz' else form}", f"--prefix={prefix}/", sha, *names]
    git = start(path, *words)
    pieces = _read(git)
    if kind != "tar.bz2":
        yield from pieces
        return
    import bz2

    packer = bz2.BZ2Compressor()
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def _read(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    assert process.stdout is not None
    try:
        while piece := process.stdout.read(BLOCK):
            yield piece
    finally:
        process.kill()
        _, error = process.communicate()
    if process.returncode not in (0, -9):
        raise GitError(f"git archive: {error.decode(errors='replace').strip()}")


def _entries(out: bytes) -> list[Entry]:
    entries = []
    for line in out.decode(errors="replace").split("\0"):
        if line:
            head, _, name = line.partition("\t")
            mode, kind, sha = head.split()
            entries.append(Entry(mode, kind, sha, name))
    return entries


def _bodies(text: str) -> list[str]:
    """The parts of a patch, without what stands before the first hunk."""
    bodies = []
    for part in text.split("\ndiff --git ") if text else []:
        lines = part.split("\n")
        start_at = next((at for at, line in enumerate(lines) if line.startswith(("@@", "Binary files"))), None)
        body = "" if start_at is None else "\n".join(lines[start_at:])
        bodies.append(body if body.endswith("\n") or not body else body + "\n")
    return bodies


def _is_hex(word: str) -> bool:
    return all(letter in "0123456789abcdef" for letter in word)
