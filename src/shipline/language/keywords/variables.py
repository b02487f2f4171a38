"""variables, at the top, in a job, a rule or a service."""

from __future__ import annotations

from typing import Any

import msgspec

from shipline.language.entry import Entry, did_you_mean, is_strings
from shipline.language.values import Map, Place

DATA_KEYS: dict[str, tuple[str, ...]] = {
    "global": ("value", "description", "expand", "options"),
    "job": ("value", "expand"),
}


class Written(msgspec.Struct, frozen=True):
    """A variable as a file has it. `raw`: `expand: false`."""

    key: str
    value: str
    place: Place
    raw: bool = False
    description: str | None = None
    options: list[str] | None = None


def variables(entry: Entry, level: str) -> list[Written]:
    """The variables of a mapping. Those of a rule or a service are plain values; a job's may also be mappings that
    say whether they are expanded, and the top level's have a description and options besides.
    """
    if entry.value is None:
        return []
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash", hint="NAME: value")
        return []
    keys = DATA_KEYS.get(level, ())
    found = []
    for key, value, _key_at, value_at in entry.value.entries():
        name = key if isinstance(key, str) else key_text(key)
        if isinstance(value, str):
            found.append(Written(name, value, value_at))
        else:
            written = other(Entry(value, value_at, f"{entry.path}:{name}", entry.findings), name, keys)
            if written is not None:
                found.append(written)
    return found


def other(entry: Entry, name: str, keys: tuple[str, ...]) -> Written | None:
    """A variable that is not plain text: a number, a boolean, nothing, or a mapping."""
    value = entry.value
    simple = scalar_text(value)
    if simple is not None:
        return Written(name, simple, entry.place)
    if value is not None and not isinstance(value, Map):
        entry.refuse("config variable definition must be either a string or a hash")
        return None
    if not keys:
        entry.refuse("config must be a string", hint="only variables of a job or of the whole file can be mappings")
        return None
    if value is None:
        return Written(name, "", entry.place)
    unknown = [key for key in value if key not in keys]
    if unknown:
        names = ", ".join(str(key) for key in unknown)
        hint = did_you_mean(unknown[0], keys)
        if hint is None and unknown[0] in ("description", "options"):
            hint = "only variables of the whole file are described: a job's have value and expand"
        hint = hint or f"a variable is one text, or has {', '.join(keys)}"
        entry.refuse(f"config uses invalid data keys: {names}", value.key_at(unknown[0]), hint)
        return None
    return mapping(entry, name)


def mapping(entry: Entry, name: str) -> Written | None:
    """A variable with its data."""
    value: Map = entry.value
    text = "" if value.get("value") is None else scalar_text(value["value"])
    if text is None:
        entry.refuse("config value must be a scalar", value.at("value"), "text, a number, true or false")
        return None
    description = value.get("description")
    if description is not None and as_text(description) is None:
        entry.refuse("config description must be an alphanumeric string", value.at("description"))
        return None
    expand = value.get("expand")
    if expand is not None and not isinstance(expand, bool):
        entry.refuse("config expand should be a boolean value", value.at("expand"))
        return None
    options = value.get("options")
    if options is not None and not is_strings(options):
        entry.refuse_key("options", "should be an array of strings")
        return None
    if options and value.get("value") not in options:
        entry.refuse(
            "config value must be present in options", value.at("value" if "value" in value else "options")
        )
        return None
    place = value.at("value") if "value" in value else entry.place
    shown = None if description is None else as_text(description)
    return Written(name, text, place, expand is False, shown, None if options is None else list(options))


def scalar_text(value: Any) -> str | None:
    """A value that a variable may have, as GitLab turns it to text: text, numbers and booleans."""
    return str(value).lower() if isinstance(value, bool) else as_text(value)


def as_text(value: Any) -> str | None:
    """Text, or a number as text; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return number_text(value)


def key_text(key: Any) -> str:
    """A name that YAML reads as something else (`NO` is false), as GitLab turns it back to text."""
    return str(key).lower() if isinstance(key, bool) else "" if key is None else number_text(key)


def number_text(value: int | float) -> str:
    """A number as Ruby prints it."""
    if isinstance(value, float):
        if value != value:
            return "NaN"
        if value in (float("inf"), float("-inf")):
            return "Infinity" if value > 0 else "-Infinity"
        text = repr(value)
        return text.replace("e", ".0e", 1) if "e" in text and "." not in text else text
    return str(value)
