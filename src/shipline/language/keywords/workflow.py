"""workflow: whether there is a pipeline at all, its name, and what cancels it."""

from __future__ import annotations

import msgspec

from shipline.language.entry import Entry, text
from shipline.language.keywords.rules import Rule, auto_cancel, rules
from shipline.language.values import NOWHERE, Map, Place

MAX_NAME = 255


class Workflow(msgspec.Struct):
    """What `workflow:` says; `rules` None where it has none."""

    place: Place = NOWHERE
    rules: list[Rule] | None = None
    name: str | None = None
    auto_cancel: dict[str, str] = {}


def workflow(entry: Entry) -> Workflow:
    """The workflow; empty where the keyword is missing."""
    if entry.value is None:
        return Workflow()
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash")
        return Workflow()
    entry.only("rules", "name", "auto_cancel")
    name = text(entry, "name")
    if name is not None and len(name) > MAX_NAME:
        entry.refuse_key("name", f"is too long (maximum is {MAX_NAME} characters)")
    return Workflow(
        entry.place, rules(entry.child("rules"), "workflow"), name, auto_cancel(entry.child("auto_cancel")) or {}
    )
