"""The patterns of `changes:regexp` and `exists:regexp`: in Ruby's dialect, where `rules:if` has that of RE2.

GitLab gives each match a little time and refuses a pattern that needs more; so do we, with the one engine for
Python that can be stopped. It is imported when a file has such a pattern.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

LONGEST = 255
MAX_PATHS = 50_000
SECONDS_A_PATH = 0.05
SECONDS_IN_ALL = 2.0
ESCAPES = {"z": r"\Z", "Z": r"(?=\n?\Z)", "h": "[0-9A-Fa-f]", "H": "[^0-9A-Fa-f]"}
IN_A_SET = {"h": "0-9A-Fa-f"}
NAMED = {"k": "(?P=", "g": "(?&"}


class BadRubyPattern(ValueError):
    """A pattern that GitLab would not accept, or stop; the text says why."""


def translated(pattern: str) -> str:
    """The pattern as the engine writes it: Ruby's `\\z`, `\\Z`, `\\h`, `\\k<name>` are others there."""
    out: list[str] = []
    depth = at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern):
            at += 1
            escapes = IN_A_SET if depth else ESCAPES
            end = pattern.find(">", at)
            if pattern[at] in NAMED and pattern[at + 1 : at + 2] == "<" and end > 0:
                out.append(f"{NAMED[pattern[at]]}{pattern[at + 2 : end]})")
                at = end
            else:
                out.append(escapes.get(pattern[at], "\\" + pattern[at]))
        else:
            depth += (char == "[") - (char == "]" and depth > 0)
            out.append(char)
        at += 1
    return "".join(out)


def first_found(pattern: str, paths: Sequence[str]) -> str | None:
    """The first path in which the pattern is found anywhere; `^` and `$` stand at lines, as always in Ruby.

    Raises BadRubyPattern for one that is wrong, too long, or too slow.
    """
    if len(pattern) > LONGEST:
        raise BadRubyPattern(f"is too long (maximum is {LONGEST} characters after variable expansion)")
    import regex

    try:
        compiled = regex.compile(translated(pattern), regex.MULTILINE | regex.VERSION1)
    except regex.error as error:
        raise BadRubyPattern(f"invalid regular expression: {error}") from None
    deadline = time.monotonic() + SECONDS_IN_ALL
    for path in paths:
        try:
            if compiled.search(path, timeout=SECONDS_A_PATH) is not None:
                return path
        except TimeoutError:
            raise BadRubyPattern(f"timed out (over {SECONDS_A_PATH} s on a single path)") from None
        if time.monotonic() > deadline:
            raise BadRubyPattern(f"exceeded the time budget ({SECONDS_IN_ALL:g} s) while evaluating paths")
    return None
