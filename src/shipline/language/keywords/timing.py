"""Small keywords of a job that are one value each: timeout, start_in, coverage, interruptible."""

from __future__ import annotations

from typing import Any

from shipline.language.durations import seconds
from shipline.language.entry import Entry, is_boolean, remedy
from shipline.language.keywords.rules import delay
from shipline.language.patterns import BadPattern, slashed

MAX_TIMEOUT = 2629746


def timeout(entry: Entry) -> int | None:
    """`timeout:` in seconds."""
    length = seconds(entry.value) if isinstance(entry.value, str) else None
    if length is None:
        entry.refuse("config should be a duration", hint="for example 1h 30m")
        return None
    if length > MAX_TIMEOUT:
        entry.refuse("config should not exceed the limit", hint="at most 1 month")
        return None
    return length


def start_in(entry: Entry, values: dict[str, Any]) -> None:
    """`start_in:` of a delayed job, as written."""
    value = delay(entry, entry.value.get("start_in"))
    if value is not None:
        values["start_in"] = value


def coverage(entry: Entry) -> str | None:
    """`coverage:` without its slashes."""
    if not isinstance(entry.value, str):
        entry.refuse("config must be a regular expression")
        return None
    try:
        return slashed(entry.value).source
    except BadPattern as error:
        entry.refuse("config must be a regular expression", hint=str(error))
        return None


def interruptible(entry: Entry) -> bool | None:
    """`interruptible:`, true or false."""
    if not isinstance(entry.value, bool):
        hint = remedy("interruptible", entry.value, is_boolean)
        entry.refuse("config should be a boolean value", hint=hint)
        return None
    return entry.value
