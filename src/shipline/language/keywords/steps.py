"""run: a job as a list of steps.

GitLab checks it by a JSON Schema, and so names places by their pointers: `/0/env/name`, in lower case.
"""

from __future__ import annotations

from typing import Any

from shipline.language.entry import Entry, is_string, remedy
from shipline.language.values import List, Map, plain

KEYS = ("name", "step", "func", "script", "env", "inputs")
SOURCES = ("step", "func", "script")
REFERENCES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "git": (("url", "rev", "dir", "file"), ("url", "rev")),
    "oci": (("registry", "repository", "tag", "dir", "file"), ("registry", "repository", "tag")),
}


def steps(entry: Entry) -> list[dict[str, Any]] | None:
    """`run:` as written."""
    run = Entry(entry.value, entry.place, f"{entry.path.removesuffix(':run')} run", entry.findings)
    if not isinstance(run.value, List):
        run.refuse("value at root is not an array")
        return None
    for index, item in enumerate(run.items()):
        step(item, f"/{index}", Entry(item.value, item.place, f"{entry.path}:step", entry.findings))
    return plain(run.value)  # type: ignore[no-any-return]


def step(entry: Entry, at: str, inner: Entry) -> None:
    """One step; `at` is its pointer, `inner` the same under a name of ours, for its references."""
    if not isinstance(entry.value, Map):
        entry.refuse(f"value at `{at}` is not an object")
        return
    for key, _value, key_at, _value_at in entry.value.entries():
        if key not in KEYS:
            hint = f"known: {', '.join(KEYS)}"
            entry.refuse(f"object property at `{at}/{key}` is a disallowed additional property", key_at, hint)
    if entry.value.get("name") is None:
        entry.refuse(f"object at `{at}` is missing required properties: name")
    else:
        a_string(entry, "name", f"{at}/name")
    sources = [key for key in SOURCES if key in entry.value]
    if not sources:
        hint = "a step has `step`, `func` or `script`"
        entry.refuse(f"object at `{at}` is missing required properties: step", hint=hint)
    elif len(sources) > 1:
        place = entry.value.key_at(sources[-1])
        hint = f"a step has one of {', '.join(sources)}"
        entry.refuse(f"object property at `{at}/{sources[-1]}` is a disallowed additional property", place, hint)
    elif sources[0] == "script":
        a_string(entry, "script", f"{at}/script", empty=False)
    else:
        reference(inner.child(sources[0]))
    for key in ("env", "inputs"):
        if entry.value.get(key) is not None and not isinstance(entry.value[key], Map):
            entry.refuse(f"value at `{at}/{key}` is not an object", entry.value.at(key))
    env = entry.value.get("env")
    if isinstance(env, Map):
        for name in env:
            a_string(Entry(env, env.place, entry.path, entry.findings), name, f"{at}/env/{str(name).lower()}")


def a_string(entry: Entry, key: str, at: str, empty: bool = True) -> None:
    value = entry.value[key]
    if not isinstance(value, str) or not (value or empty):
        entry.refuse(f"value at `{at}` is not a string", entry.value.at(key), remedy(key, value, is_string))


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
