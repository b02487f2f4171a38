"""before_script, script, after_script, hooks: text or lists in lists of texts, made one flat list."""

from __future__ import annotations

from typing import Any

from shipline.language.entry import Entry
from shipline.language.quoted_colons import command
from shipline.language.values import List, Map, Place

MAX_NESTING = 10
SHOULD_BE = "config should be a string or a nested array of strings up to 10 levels deep"


def commands(entry: Entry) -> list[str] | None:
    """The commands in order; None where the keyword is missing or wrong."""
    value = entry.value
    if value is None:
        return None
    if isinstance(value, str):
        if value.startswith("-") and not value.startswith("- "):
            entry.warn("begins with a dash that no space follows: it is one command, and no list", check="no-list")
        return [value] if value else []
    if not isinstance(value, List):
        entry.refuse(SHOULD_BE)
        return None
    found: list[str] = []
    wrong = flatten(value, found, 1)
    if wrong is not None:
        entry.refuse(SHOULD_BE, wrong[1], advice(wrong[0]))
        return None
    return found


def flatten(items: List, into: list[str], depth: int) -> tuple[Any, Place] | None:
    """Collects texts of nested lists; gives the first thing that does not belong, with its place."""
    for item, place in items.entries():
        if isinstance(item, str):
            into.append(item)
        elif isinstance(item, List) and depth < MAX_NESTING:
            wrong = flatten(item, into, depth + 1)
            if wrong is not None:
                return wrong
        else:
            return item, place
    return None


def advice(item: Any) -> str | None:
    """What to do about an item that is no text."""
    if isinstance(item, Map) and not item.keys().isdisjoint(("script", "before_script", "image", "stage")):
        return "this is a whole job: name one of its keywords, as in !reference [.job, script]"
    if isinstance(item, Map):
        hint = "a colon and a space, or braces, make this line a mapping: put the whole line in quotes"
        return hint + " (shipline run takes it as the command it looks like)" if command(item) else hint
    if isinstance(item, List):
        return None
    return "an empty item: remove it" if item is None else "put it in quotes"


def hooks(entry: Entry) -> dict[str, Any] | None:
    """`hooks:` with its one script."""
    if entry.value is None or not entry.mapping("pre_get_sources_script"):
        return None
    script = commands(entry.child("pre_get_sources_script"))
    return {} if script is None else {"pre_get_sources_script": script}
