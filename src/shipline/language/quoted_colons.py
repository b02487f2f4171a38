"""`- echo "done: $X"` is a mapping in YAML, because of the colon, and GitLab refuses it in a script.

Where a caller wishes, such a line is taken as the command it looks like: only when the colon stands inside
quotes that the shell would see, so that nobody can have meant a mapping.
"""

from __future__ import annotations

from typing import Any

from shipline.language.findings import Finding, finding
from shipline.language.values import List, Map

SCRIPTS = ("before_script", "script", "after_script")


def mended(config: Map, warnings: list[Finding]) -> Map:
    """The configuration with such lines made text again, each with a warning."""
    new = config.copy()
    for name, value in config.items():
        if isinstance(value, Map):
            job = value.copy()
            for key in SCRIPTS:
                if isinstance(value.get(key), List):
                    job[key] = lines(value[key], warnings)
            new[name] = job
        elif name in SCRIPTS and isinstance(value, List):
            new[name] = lines(value, warnings)
    return new


def lines(items: List, warnings: list[Finding]) -> List:
    new = List(items.place)
    for item, place in items.entries():
        text = command(item)
        if text is not None:
            warnings.append(
                finding(
                    "script: its colon makes this line a mapping in YAML; it is run as the text it looks like",
                    place,
                    "put the whole line in single quotes: GitLab refuses it as it stands",
                    "warning",
                    "quoted-colon",
                )
            )
        new.add(lines(item, warnings) if isinstance(item, List) else item if text is None else text, place)
    return new


def command(item: Any) -> str | None:
    """The text of a one-entry mapping whose colon stands inside quotes; None for anything else."""
    if not isinstance(item, Map) or len(item) != 1:
        return None
    ((key, value),) = item.items()
    if not isinstance(key, str) or not isinstance(value, str) or not open_quote(key):
        return None
    return f"{key}: {value}"


def open_quote(text: str) -> bool:
    """Whether a shell that has read so far is inside quotes."""
    quote = ""
    escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
    return bool(quote)
