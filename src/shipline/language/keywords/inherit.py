"""inherit: what a job takes from default and from the top-level variables."""

from __future__ import annotations

from typing import Any

from shipline.language.entry import Entry, did_you_mean

DEFAULT_KEYS = (
    "before_script",
    "image",
    "services",
    "after_script",
    "cache",
    "interruptible",
    "timeout",
    "retry",
    "tags",
    "artifacts",
    "hooks",
    "id_tokens",
    "identity",
)


def inherit(entry: Entry) -> dict[str, Any] | None:
    """`default` and `variables`, each true, false or a list of names; true where it is missing."""
    if not entry.mapping("default", "variables"):
        return None
    found: dict[str, Any] = {}
    for key in ("default", "variables"):
        value = entry.value.get(key)
        if value is None:
            continue
        if isinstance(value, bool):
            found[key] = value
        elif isinstance(value, list):
            if not all(isinstance(item, str) for item in value):
                entry.child(key).refuse("config should be an array of strings")
            elif key == "default" and (unknown := [item for item in value if item not in DEFAULT_KEYS]):
                hint = did_you_mean(unknown[0], DEFAULT_KEYS)
                entry.child(key).refuse(f"config contains unknown values: {', '.join(unknown)}", hint=hint)
            else:
                found[key] = list(value)
        else:
            entry.child(key).refuse("should be a bool or array of strings")
    return found
