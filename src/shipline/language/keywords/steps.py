"""run: a job as a list of steps."""

from __future__ import annotations

from typing import Any

from shipline.language.entry import Entry
from shipline.language.values import List, Map, plain

KEYS = ("name", "step", "func", "script", "env", "inputs")
SOURCES = ("step", "func", "script")
REFERENCES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "git": (("url", "rev", "dir", "file"), ("url", "rev")),
    "oci": (("registry", "repository", "tag", "dir", "file"), ("registry", "repository", "tag")),
}


def steps(entry: Entry) -> list[dict[str, Any]] | None:
    """`run:` as written."""
    if not isinstance(entry.value, List):
        entry.refuse("value at root is not an array")
        return None
    for item in entry.items("step"):
        step(item)
    return plain(entry.value)  # type: ignore[no-any-return]


def step(entry: Entry) -> None:
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash")
        return
    for key, _value, key_at, _value_at in entry.value.entries():
        if key not in KEYS:
            entry.refuse(f"config {key} is a disallowed additional property", key_at, f"known: {', '.join(KEYS)}")
    if entry.value.get("name") is None:
        entry.refuse("config missing required properties: name")
    elif not isinstance(entry.value["name"], str):
        entry.refuse_key("name", "is not a string")
    sources = [key for key in SOURCES if key in entry.value]
    if not sources:
        entry.refuse("config missing required properties: step", hint="a step has `step`, `func` or `script`")
    elif len(sources) > 1:
        entry.refuse(f"config these keys cannot be used together: {', '.join(sources)}")
    elif sources[0] == "script":
        if not isinstance(entry.value["script"], str) or not entry.value["script"]:
            entry.refuse_key("script", "is not a string")
    else:
        reference(entry.child(sources[0]))
    for key in ("env", "inputs"):
        if entry.value.get(key) is not None and not isinstance(entry.value[key], Map):
            entry.refuse_key(key, "is not a hash")
    env = entry.value.get("env")
    if isinstance(env, Map) and not all(isinstance(value, str) for value in env.values()):
        entry.refuse_key("env", "should be a hash of strings")


def reference(entry: Entry) -> None:
    """Where a step's definition is: an address, or git or oci with their parts."""
    if isinstance(entry.value, str):
        return
    if not isinstance(entry.value, Map) or len(entry.value) != 1 or next(iter(entry.value)) not in REFERENCES:
        entry.refuse("config should be a string or a hash with git or oci")
        return
    kind = next(iter(entry.value))
    child = entry.child(kind)
    allowed, needed = REFERENCES[kind]
    if child.mapping(*allowed):
        missing = [key for key in needed if child.value.get(key) is None]
        if missing:
            child.refuse(f"config missing required properties: {', '.join(missing)}")
