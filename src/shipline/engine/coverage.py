"""`coverage:`, the number that a pattern finds in a job's log."""

from __future__ import annotations

import re

from shipline.language.patterns import BadPattern, Pattern

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def coverage(pattern: str, log: bytes) -> float | None:
    """The last line of the log that the RE2 pattern (without its slashes) matches, as a number: that of its first
    group where it has one. None where there is none."""
    try:
        compiled = Pattern(pattern).compiled
    except BadPattern:
        return None
    for line in reversed(_COLOUR.sub("", log.decode("utf-8", errors="replace")).splitlines()):
        match = compiled.search(line)
        if match is None:
            continue
        number = _NUMBER.search(match.group(1) or "" if compiled.groups else match.group(0))
        if number is not None:
            return float(number[0])
    return None
