"""Which files of the project folder `paths`, `exclude` and `untracked` mean, and what the log says of it.

As gitlab-runner does it: each match is taken with everything below it; what is excluded is taken out one by one;
counts are of what was walked, so what two matches contain counts twice.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from shipline.runner.files.globs import BadGlob, compiled, has_meta, split
from shipline.runner.files.members import Entry, FilesError, ProjectFiles

NOTHING = "no matching files. Ensure that the artifact path is relative to the working directory"


class Note(msgspec.Struct, frozen=True):
    """A line for the job's log."""

    level: Literal["line", "warning"]
    text: str


class Selection(msgspec.Struct):
    """The chosen entries in the order of their paths, and what there is to say."""

    entries: list[Entry] = []
    notes: list[Note] = []


class _Pattern(msgspec.Struct, frozen=True):
    """A path of the file as written, and relative to the project folder, as a glob or a plain name."""

    written: str
    relative: str

    @property
    def root(self) -> str:
        """Where to look for matches."""
        if not has_meta(self.relative):
            return self.relative
        base = split(self.relative)[0]
        return base or "."

    def matches(self, path: str) -> bool:
        if not has_meta(self.relative):
            return path == self.relative
        return compiled(self.relative).fullmatch(path) is not None


async def select(
    files: ProjectFiles,
    project: str,
    paths: Sequence[str],
    exclude: Sequence[str] = (),
    *,
    untracked: bool = False,
) -> Selection:
    """The files that are meant. `project` is the project folder's absolute path as the job sees it. Variables in
    the paths are replaced already. Raises FilesError."""
    selection = Selection()
    patterns = list(_patterns(paths, project, "processPath: ", selection))
    excluded = list(_patterns(exclude, project, "isExcluded: ", selection))
    roots = ["."] if untracked else list(dict.fromkeys(pattern.root for pattern in patterns))
    everything = sorted(await files.find(roots), key=lambda entry: entry.path) if roots else []
    if untracked and (through := [p.root for p in patterns if p.root.endswith("/")]):
        known = {entry.path for entry in everything}
        everything += [entry for entry in await files.find(through) if entry.path not in known]
    names = await _listed(files, selection) if untracked else None
    await asyncio.to_thread(_choose, selection, everything, patterns, excluded, names, project)
    return selection


async def _listed(files: ProjectFiles, selection: Selection) -> list[str]:
    """What git does not track."""
    try:
        return await files.untracked()
    except FilesError as error:
        selection.notes.append(Note("warning", f"untracked: {error}"))
        return []


def _choose(
    selection: Selection,
    everything: list[Entry],
    patterns: list[_Pattern],
    excluded: list[_Pattern],
    untracked: list[str] | None,
    project: str,
) -> None:
    """Fills in the selection: of everything that was found, what the patterns mean and what is untracked."""
    counts: dict[str, int] = {}
    chosen: dict[str, Entry] = {}
    for pattern in patterns:
        found = 0
        for entry, times in _matching(everything, pattern):
            if rule := _rule(excluded, entry.path):
                counts[rule] = counts.get(rule, 0) + times
            else:
                chosen[entry.path] = entry
                found += times
        if found:
            what = f"{pattern.written}: found {found} matching artifact files and directories"
            selection.notes.append(Note("line", what))
        else:
            selection.notes.append(Note("warning", f"{pattern.written}: {NOTHING} ({project})"))
    if untracked is not None:
        _untracked(untracked, everything, excluded, chosen, counts, selection)
    for rule, count in counts.items():
        selection.notes.append(Note("line", f"{rule}: excluded {count} files"))
    chosen.pop(".", None)
    selection.entries = [chosen[path] for path in sorted(chosen)]


def _patterns(paths: Sequence[str], project: str, where: str, selection: Selection) -> Iterator[_Pattern]:
    """The paths that lie in the project folder; the others are warned about."""
    for written in paths:
        if not written:
            selection.notes.append(Note("warning", "No matching files. Path is empty."))
            continue
        base, rest = split(written) if has_meta(written) else (written, "")
        absolute = posixpath.normpath(posixpath.join(project, base))
        relative = posixpath.relpath(absolute, project)
        if relative == ".." or relative.startswith("../"):
            text = f"{where}artifact path is not a subpath of project directory: {written}"
            selection.notes.append(Note("warning", text))
            continue
        if rest:
            relative = rest if relative == "." else f"{relative}/{rest}"
            try:
                compiled(relative.rstrip("/"))
            except BadGlob as error:
                selection.notes.append(Note("warning", f"{written}: {error}"))
                continue
        yield _Pattern(written, relative.rstrip("/"))


def _matching(everything: list[Entry], pattern: _Pattern) -> Iterator[tuple[Entry, int]]:
    """The entries that match or lie in a folder that does, and how many matches each lies in."""
    matches = {entry.path for entry in everything if pattern.matches(entry.path)}
    if not matches:
        return
    walked = {entry.path for entry in everything if entry.kind == "folder"} & matches
    for entry in everything:
        times = int(entry.path in matches)
        folder = entry.path
        while folder not in ("", "."):
            folder = posixpath.dirname(folder)
            times += folder in walked
        if "." in walked and entry.path != ".":
            times += 1
        if times:
            yield entry, times


def _rule(excluded: list[_Pattern], path: str) -> str:
    """The first rule that excludes a path, as it is written."""
    return next((pattern.written for pattern in excluded if pattern.matches(path)), "")


def _untracked(
    names: list[str],
    everything: list[Entry],
    excluded: list[_Pattern],
    chosen: dict[str, Entry],
    counts: dict[str, int],
    selection: Selection,
) -> None:
    known = {entry.path: entry for entry in everything}
    found = 0
    for name in names:
        entry = known.get(name.rstrip("/"))
        if entry is None:
            continue
        if rule := _rule(excluded, entry.path):
            counts[rule] = counts.get(rule, 0) + 1
        else:
            chosen[entry.path] = entry
            found += 1
    note = Note("line", f"untracked: found {found} files") if found else Note("warning", "untracked: no files")
    selection.notes.append(note)
