"""cache: what a job takes from earlier pipelines and leaves for later ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from shipline.language.entry import (
    Entry,
    boolean,
    is_boolean,
    is_string,
    is_strings,
    one_of,
    remedy,
    strings,
    text,
)
from shipline.language.values import List, Map

KEYS = ("key", "untracked", "paths", "when", "policy", "unprotect", "fallback_keys")
WHEN = ("on_success", "on_failure", "always")
POLICIES = ("pull-push", "push", "pull")
MAX_CACHES = 4
MAX_FILES = {"files": 10, "files_commits": 2}
MAX_FALLBACK_KEYS = 5
DOTS = re.compile(r"(?:\.|%2e){1,2}\Z", re.I)
POLICY = re.compile(r"pull-push|push|pull|\$")


def caches(entry: Entry) -> list[dict[str, Any]] | None:
    """The caches of a job, one or a list of at most four (which may be lists), with GitLab's defaults filled in."""
    if isinstance(entry.value, List):
        if len(entry.value) > MAX_CACHES:
            entry.refuse(f"config no more than {MAX_CACHES} caches can be created")
        found = [cache(item) for item in entry.flat_items("cache")]
        return [item for item in found if item is not None]
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash or an array of hashes")
        return None
    one = cache(entry)
    return None if one is None else [one]


def cache(entry: Entry) -> dict[str, Any] | None:
    """One cache."""
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash")
        return None
    entry.only(*KEYS)
    found: dict[str, Any] = {
        "key": key(entry.child("key")) if entry.value.get("key") is not None else "default",
        "paths": value_of(entry, "paths", is_strings, "config should be an array of strings"),
        "untracked": value_of(entry, "untracked", is_boolean, "config should be a boolean value"),
        "when": one_of(entry, "when", WHEN) or "on_success",
        "policy": policy(entry) or "pull-push",
        "unprotect": boolean(entry, "unprotect") or False,
        "fallback_keys": fallback_keys(entry),
    }
    return {name: value for name, value in found.items() if value is not None}


def value_of(entry: Entry, key: str, good: Callable[[Any], bool], message: str) -> Any:
    """A key that GitLab reads as an entry of its own and names so (`cache:paths config should be ...`)."""
    child = entry.child(key)
    if child.value is None:
        return None
    if not good(child.value):
        child.refuse(message, hint=remedy(key, child.value, good))
        return None
    return list(child.value) if isinstance(child.value, list) else child.value


def policy(entry: Entry) -> str | None:
    value = text(entry, "policy")
    if value and not POLICY.search(value):
        entry.refuse_key("policy", f"should be a variable or one of: {', '.join(POLICIES)}")
    elif value and "$" not in value and value not in POLICIES:
        place = entry.value.at("policy")
        entry.warn(f"policy {value} is no policy: one of {', '.join(POLICIES)}", place, "cache-policy")
    return value


def fallback_keys(entry: Entry) -> list[str]:
    keys = strings(entry, "fallback_keys") or []
    if len(keys) > MAX_FALLBACK_KEYS:
        entry.refuse_key("fallback_keys", f"has too many entries (maximum {MAX_FALLBACK_KEYS})")
    return keys


def key(entry: Entry) -> Any:
    """`cache:key:`, a text or the files that it is computed from."""
    value = entry.value
    if isinstance(value, str):
        if "/" in value or "%2f" in value.lower():
            entry.refuse('config cannot contain the "/" character')
        elif DOTS.match(value):
            entry.refuse('config cannot be "." or ".."')
        return value
    if not isinstance(value, Map):
        entry.refuse("should be a hash, a string or a symbol")
        return None
    entry.only("files", "files_commits", "prefix")
    if "files" in value and "files_commits" in value:
        entry.refuse(
            "config must use exactly one of these keys: files, files_commits", value.key_at("files_commits")
        )
    kind = "files_commits" if "files_commits" in value else "files"
    if value.get(kind) is None:
        entry.refuse("config must use exactly one of these keys: files, files_commits")
        return None
    files = entry.child(kind)
    if not is_strings(files.value):
        files.refuse("config should be an array of strings")
    elif not files.value:
        files.refuse("config requires at least 1 item")
    elif len(files.value) > MAX_FILES[kind]:
        files.refuse(f"config has too many items (maximum is {MAX_FILES[kind]})")
    value_of(entry, "prefix", is_string, "config should be a string or symbol")
    return {name: list(item) if isinstance(item, list) else item for name, item in value.items()}
