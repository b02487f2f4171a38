"""Durations in words: `1h 30m`, `3 hours`, `2 weeks and 1 day`, `1:30:00`, in the way of GitLab's own reader."""

from __future__ import annotations

import re

LONGEST = 100
MINUTE, HOUR, DAY = 60, 3600, 86400
UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), MINUTE),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), HOUR),
    **dict.fromkeys(("d", "day", "days"), DAY),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), 7 * DAY),
    **dict.fromkeys(("mo", "mos", "mth", "mths", "month", "months"), 30 * DAY),
    **dict.fromkeys(("y", "yr", "yrs", "year", "years"), 365 * DAY + 6 * HOUR),
}
WORDS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
WORDS |= {"nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "sixty": 60}
FILLERS = {"and", "with", "plus"}
PART = re.compile(r"(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<word>[a-z]+)|(?P<other>\S)")
CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)\Z")


def seconds(text: str) -> int | None:
    """The length of a duration in whole seconds; None when the text is none (or none that is longer than 0)."""
    if len(text) > LONGEST:
        return None
    lowered = text.strip().lower()
    clock = CLOCK.match(lowered)
    if clock:
        hours, minutes, rest = clock.groups()
        return int(hours or 0) * HOUR + int(minutes) * MINUTE + int(float(rest)) or None
    total = 0.0
    number: float | None = None
    for match in PART.finditer(lowered.replace(",", " ")):
        if match["number"]:
            if number is not None:
                return None
            number = float(match["number"])
        elif match["word"] in UNITS:
            total += (1 if number is None else number) * UNITS[match["word"]]
            number = None
        elif match["word"] in WORDS and number is None:
            number = WORDS[match["word"]]
        elif match["word"] not in FILLERS:
            return None
    total += number or 0
    return int(total) or None
