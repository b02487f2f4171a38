"""Scripts in their flat form: nested lists, as `!reference` and anchors leave them, made one list."""

from __future__ import annotations

from typing import Any

from shipline.language.values import List, Map, Place

SCRIPTS = ("before_script", "script", "after_script")


def flattened(config: Map) -> Map:
    """The configuration with every script as one list of commands, as `preview` shows it."""
    new = config.copy()
    for key, value in config.items():
        if key in SCRIPTS:
            new[key] = flat(value, config.at(key))
        elif isinstance(value, Map):
            job = value.copy()
            for script in SCRIPTS:
                if script in value:
                    job[script] = flat(value[script], value.at(script))
            new[key] = job
    return new


def flat(value: Any, place: Place) -> Any:
    """One script's lines; what is no script stays as it is."""
    if isinstance(value, str):
        lines = List(place)
        lines.add(value, place)
        return lines
    if not isinstance(value, List):
        return value
    lines = List(value.place)
    for item, at in value.entries():
        inner = flat(item, at) if isinstance(item, List) else None
        if isinstance(inner, List):
            for line, line_at in inner.entries():
                lines.add(line, line_at)
        else:
            lines.add(item, at)
    return lines
