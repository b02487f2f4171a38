"""only and except: refs, variables, changes, kubernetes."""

from __future__ import annotations

from typing import Any

from shipline.language.entry import Entry, is_strings
from shipline.language.expressions import ExpressionError, parse
from shipline.language.patterns import BadPattern, looks_slashed, slashed
from shipline.language.values import List, Map

KEYS = ("refs", "kubernetes", "variables", "changes")
MEANT = {
    "merge_request": "merge_requests",
    "merge-request": "merge_requests",
    "merge-requests": "merge_requests",
    "branch": "branches",
    "tag": "tags",
}
REFS_SHOULD_BE = "should be an array of strings or regular expressions using re2 syntax"


def policy(entry: Entry) -> dict[str, Any] | None:
    """`only:` or `except:` as a mapping; a text or a list are refs."""
    value = entry.value
    if isinstance(value, List):
        return check_refs(entry, list(value))
    if not isinstance(value, Map):
        hint = f"{entry.path.rpartition(':')[2]}: [{value}]" if isinstance(value, str) else None
        entry.refuse("has to be either an array of conditions or a hash", hint=hint)
        return None
    if not value:
        entry.refuse("config can't be blank")
    entry.only(*KEYS)
    found: dict[str, Any] = {}
    if value.get("refs") is not None:
        refs = value["refs"]
        found |= check_refs(entry, list(refs) if isinstance(refs, list) else [None], "refs") or {}
    if value.get("kubernetes") is not None:
        if value["kubernetes"] != "active":
            shown = value["kubernetes"]
            entry.refuse_key("kubernetes", f"unknown value: {shown}", "the one value is active")
        else:
            found["kubernetes"] = "active"
    if value.get("changes") is not None:
        if not is_strings(value["changes"]):
            entry.refuse_key("changes", "should be an array of strings")
        else:
            found["changes"] = list(value["changes"])
    if value.get("variables") is not None:
        found |= check_variables(entry)
    return found


def check_refs(entry: Entry, refs: list[Any], key: str | None = None) -> dict[str, Any] | None:
    for ref in refs:
        reason = wrong_ref(ref)
        if reason is not None:
            if key:
                entry.refuse_key(key, REFS_SHOULD_BE, reason)
            else:
                entry.refuse(f"config {REFS_SHOULD_BE}", hint=reason)
            return None
        if ref in MEANT:
            entry.warn(f"names a branch or tag `{ref}`: did you mean `{MEANT[ref]}`?", check="ref-name")
    return {"refs": refs}


def wrong_ref(ref: Any) -> str | None:
    """Why something is no ref and no pattern; None when it is one."""
    if not isinstance(ref, str):
        return "a ref is text"
    if not looks_slashed(ref):
        return None
    try:
        slashed(ref)
    except BadPattern as error:
        return str(error)
    return None


def check_variables(entry: Entry) -> dict[str, Any]:
    expressions = entry.value["variables"]
    if not is_strings(expressions):
        entry.refuse_key("variables", "should be an array of strings")
        return {}
    for text, place in expressions.entries():
        try:
            parse(text)
        except ExpressionError as error:
            entry.refuse("variables invalid expression syntax", place, str(error))
    return {"variables": list(expressions)}
