"""`coverage:`, the number that a pattern finds in a job's log."""

from __future__ import annotations

import re

from shipline.language.patterns import BadPattern, Pattern

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-f]{2}[OE][ +]")
"""What a runner may write before each line: when, and from which stream."""


def coverage(pattern: str, log: bytes) -> float | None:
    """The last match of the RE2 pattern (without its slashes) in the last line of the log that it is in, as a
    number: the first one in it, or in its last group where the pattern has groups. None where there is none."""
    try:
        compiled = Pattern(pattern).compiled
    except BadPattern:
        return None
    for line in reversed(_COLOUR.sub("", log.decode("utf-8", errors="replace")).splitlines()):
        found = compiled.findall(_STAMP.sub("", line))
        if not found:
            continue
        last = found[-1][-1] if isinstance(found[-1], tuple) else found[-1]
        number = _NUMBER.search(last or "")
        if number is not None:
            return float(number[0])
    return None
