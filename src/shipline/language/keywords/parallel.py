"""parallel: a number of copies, or a matrix of variables."""

from __future__ import annotations

from typing import Any

from shipline.language.entry import Entry, is_integer, is_string
from shipline.language.values import List, Map

MAX_COPIES = 200


def parallel(entry: Entry, bridge: bool = False) -> int | list[dict[str, list[str]]] | None:
    """A number of copies, or the rows of a matrix with the values of each variable."""
    value = entry.value
    if value is None:
        return None
    if is_integer(value):
        return number(entry, bridge)
    if not isinstance(value, Map):
        entry.refuse("should be an integer or a hash")
        return None
    if "matrix" not in value:
        entry.refuse("config missing required keys: matrix")
        return None
    entry.only("matrix")
    return matrix(entry.child("matrix"))


def number(entry: Entry, bridge: bool) -> int | None:
    value: int = entry.value
    if bridge:
        entry.refuse('config cannot use "parallel: <number>".', hint="a trigger job takes parallel:matrix")
    elif value < 1:
        entry.refuse("config must be greater than or equal to 1")
    elif value > MAX_COPIES:
        entry.refuse(f"config must be less than or equal to {MAX_COPIES}")
    else:
        return value
    return None


def matrix(entry: Entry) -> list[dict[str, list[str]]] | None:
    if not isinstance(entry.value, List) or not all(isinstance(item, Map) for item in entry.value):
        entry.refuse("config should be an array of hashes")
        return None
    rows = []
    total = 0
    for row, place in entry.value.entries():
        values = {str(key): axis(value) for key, value in row.items()}
        if not values or any(not items for items in values.values()):
            wrong = next((key for key in row if not values[str(key)]), None)
            hint = "each value is text or a whole number: put others in quotes"
            at = place if wrong is None else row.at(wrong)
            entry.refuse("config should be a hash of key value pairs, value can be an array", at, hint)
            return None
        kept = {key: items for key, items in values.items() if items}
        size = 1
        for items in kept.values():
            size *= len(items)
        total += size
        rows.append(kept)
    if total > MAX_COPIES:
        entry.refuse(f"config generates too many jobs (maximum is {MAX_COPIES})", hint=f"this makes {total}")
        return None
    return rows


def axis(value: Any) -> list[str] | None:
    """The values of one variable of a row; None when they are no texts or whole numbers."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    items = value if isinstance(value, list) else [value]
    if not items or not all(is_string(item) or is_integer(item) for item in items):
        return None
    return [str(item) for item in items]
