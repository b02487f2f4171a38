"""Globs as Ruby's `File.fnmatch` reads them with PATHNAME, DOTMATCH and EXTGLOB, as one regular expression each.

`*` and `?` stop at a slash, `**/` at the start of a segment is any number of folders, `{a,b}` are choices, a
leading dot is nothing special. `**` that no slash follows is only `*`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re2  # imported with the first glob that is more than a name

MAX_ALTERNATIVES = 1024
WILD = re.compile(r"[*?\[{\\]")


class GlobTooWide(ValueError):
    """The braces of a glob stand for more choices than we follow."""


def alternatives(glob: str) -> list[str]:
    """A glob without its braces: each choice written out, in order."""
    done: list[str] = []
    waiting = [glob]
    while waiting:
        text = waiting.pop(0)
        choices = first_braces(text)
        if choices is None:
            done.append(text)
        else:
            waiting = choices + waiting
        if len(done) + len(waiting) > MAX_ALTERNATIVES:
            raise GlobTooWide(f"the braces of {glob!r} stand for more than {MAX_ALTERNATIVES} globs")
    return done


def first_braces(text: str) -> list[str] | None:
    """The choices of the first pair of braces, each with what stands around it; None where there is no pair."""
    depth = start = 0
    commas: list[int] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == "{":
            depth += 1
            if depth == 1:
                start = at
        elif char == "," and depth == 1:
            commas.append(at)
        elif char == "}" and depth:
            depth -= 1
            if depth == 0:
                edges = [start, *commas, at]
                parts = [text[a + 1 : b] for a, b in itertools.pairwise(edges)]
                return [text[:start] + part + text[at + 1 :] for part in parts]
        at += 1
    return None


def expression(glob: str) -> str:
    """A glob without braces as the text of a regular expression."""
    out: list[str] = []
    at = 0
    while at < len(glob):
        segment_start = at == 0 or glob[at - 1] == "/"
        char = glob[at]
        if segment_start and glob.startswith("**/", at):
            while glob.startswith("**/", at):
                at += 3
            out.append("(?:[^/]+/)*")
            continue
        if char == "*":
            while at < len(glob) and glob[at] == "*":
                at += 1
            out.append("[^/]*")
            continue
        if char == "?":
            out.append("[^/]")
        elif char == "[":
            text, at = bracket(glob, at)
            out.append(text)
            continue
        elif char == "\\" and at + 1 < len(glob):
            at += 1
            out.append(re.escape(glob[at]))
        else:
            out.append(re.escape(char))
        at += 1
    return "".join(out)


def bracket(glob: str, start: int) -> tuple[str, int]:
    """A set `[a-z]` at `start` as a regular expression and the place after it. Never closed: it matches nothing."""
    at = start + 1
    negated = at < len(glob) and glob[at] in "!^"
    at += negated
    members: list[str] = []
    first = at
    while at < len(glob) and (glob[at] != "]" or at == first):
        low, at = member(glob, at)
        if at + 1 < len(glob) and glob[at] == "-" and glob[at + 1] != "]":
            high, at = member(glob, at + 1)
            if low <= high:
                members.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            members.append(re.escape(low))
    if at >= len(glob):
        return "[^\\x00-\\x{10FFFF}]", len(glob)
    inside = "".join(members)
    if negated:
        return f"[^/{inside}]", at + 1
    return (f"[{inside}]" if inside else "[^\\x00-\\x{10FFFF}]"), at + 1


def member(glob: str, at: int) -> tuple[str, int]:
    if glob[at] == "\\" and at + 1 < len(glob):
        at += 1
    return glob[at], at + 1


@lru_cache(maxsize=1024)
def compiled(glob: str) -> re2._Regexp:
    """The regular expression of a whole glob. Raises GlobTooWide."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    return re2.compile("|".join(f"(?:{expression(choice)})" for choice in alternatives(glob)), options)


def glob_matches(glob: str, path: str) -> bool:
    """Whether one path matches."""
    if not WILD.search(glob):
        return glob == path
    import re2

    try:
        return compiled(glob).fullmatch(path) is not None
    except (GlobTooWide, re2.error, UnicodeError):
        return False


def any_match(globs: Iterable[str], paths: Iterable[str]) -> str | None:
    """The first path that one of the globs matches."""
    patterns = list(globs)
    for path in paths:
        for glob in patterns:
            if glob_matches(glob, path):
                return path
    return None
