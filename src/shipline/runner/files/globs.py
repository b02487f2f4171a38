"""Globs as gitlab-runner reads them in `artifacts:paths` and `cache:paths` (its doublestar).

`**` as a whole segment is any number of folders, also none; `*` and `?` stop at a slash; `[a-z]`, `[^a]`, `{a,b}`;
a leading dot is nothing special; a backslash takes the meaning from what follows.
"""

from __future__ import annotations

import functools
import itertools
import re

META = frozenset("*?[{")
MOST_CHOICES = 1024


class BadGlob(ValueError):
    """The text is no glob."""


def has_meta(text: str) -> bool:
    """Whether a text is a glob rather than a name."""
    return not META.isdisjoint(text)


def split(glob: str) -> tuple[str, str]:
    """The folder that a glob starts from (empty for the current one, `/` kept), and the rest."""
    first = min((at for at in map(glob.find, META) if at >= 0), default=len(glob))
    cut = glob.rfind("/", 0, first) + 1
    return glob[:cut], glob[cut:]


@functools.lru_cache(maxsize=512)
def compiled(glob: str) -> re.Pattern[str]:
    """The regular expression for whole paths. Raises BadGlob."""
    try:
        return re.compile("|".join(_expression(choice) for choice in _choices(glob)), re.DOTALL)
    except re.error:
        raise BadGlob("syntax error in pattern") from None


def _choices(glob: str) -> list[str]:
    """A glob without its braces: every choice written out."""
    done: list[str] = []
    waiting = [glob]
    while waiting:
        text = waiting.pop()
        opened = _braces(text)
        if opened is None:
            done.append(text)
        else:
            waiting += opened
        if len(done) + len(waiting) > MOST_CHOICES:
            raise BadGlob("the braces stand for too many patterns")
    return done


def _braces(text: str) -> list[str] | None:
    """The first pair of braces' choices, each with what stands around it."""
    depth, edges, at = 0, [], 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == "{":
            depth += 1
            edges += [at] if depth == 1 else []
        elif char == "," and depth == 1:
            edges.append(at)
        elif char == "}" and depth:
            depth -= 1
            if not depth:
                edges.append(at)
                parts = [text[a + 1 : b] for a, b in itertools.pairwise(edges)]
                return [text[: edges[0]] + part + text[at + 1 :] for part in parts]
        at += 1
    if depth:
        raise BadGlob("syntax error in pattern")
    return None


def _expression(glob: str) -> str:
    segments = re.sub(r"(?<![^/])\*\*(?:/\*\*)+(?![^/])", "**", re.sub("/+", "/", glob)).split("/")
    out: list[str] = []
    between = ""
    for place, segment in enumerate(segments):
        last = place == len(segments) - 1
        if segment == "**":
            if last:
                # `a/**` is a too, `**` alone is everything
                out.append("(?:/.*)?" if between else ".*")
            else:
                out.append(between + "(?:[^/]+/)*")
                between = ""
            continue
        out.append(between + _segment(segment))
        between = "/"
    return "".join(out)


def _segment(text: str) -> str:
    out: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "*":
            while at < len(text) and text[at] == "*":
                at += 1
            out.append("[^/]*")
            continue
        if char == "?":
            out.append("[^/]")
        elif char == "[":
            found, at = _class(text, at)
            out.append(found)
            continue
        elif char == "\\":
            at += 1
            if at == len(text):
                raise BadGlob("syntax error in pattern")
            out.append(re.escape(text[at]))
        else:
            out.append(re.escape(char))
        at += 1
    return "".join(out)


def _class(text: str, start: int) -> tuple[str, int]:
    """The set that begins at `start` as an expression, and the place after it."""
    at = start + 1
    negated = text[at : at + 1] in ("^", "!")
    at += negated
    members: list[str] = []
    while at < len(text) and (text[at] != "]" or not members):
        low, at = _character(text, at)
        high = low
        if text[at : at + 1] == "-" and text[at + 1 : at + 2] not in ("]", ""):
            high, at = _character(text, at + 1)
        if high < low:
            raise BadGlob("syntax error in pattern")
        members.append(f"{re.escape(low)}-{re.escape(high)}")
    if at >= len(text):
        raise BadGlob("syntax error in pattern")
    return f"[{'^/' if negated else ''}{''.join(members)}]", at + 1


def _character(text: str, at: int) -> tuple[str, int]:
    if text[at] == "\\":
        at += 1
    if at >= len(text):
        raise BadGlob("syntax error in pattern")
    return text[at], at + 1
