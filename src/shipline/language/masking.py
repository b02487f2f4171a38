"""Values of masked variables in what is told of a file: a path or a glob may have been made of one."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shipline.language.context import Context
from shipline.language.findings import Finding

SHORTEST = 8
"""Characters of the shortest value that GitLab masks; hiding shorter ones would hide ordinary words."""
MASK = "[MASKED]"


def secrets(context: Context) -> list[str]:
    """The values that nobody may read, the longest first."""
    kept = (context.instance_variables, context.group_variables, context.project_variables, context.variables)
    found = {v.value for level in kept for v in level if v.masked and len(v.value) >= SHORTEST}
    return sorted(found, key=len, reverse=True)


def hidden(text: str, values: Sequence[str]) -> str:
    """The text without these values."""
    for value in values:
        text = text.replace(value, MASK)
    return text


def masked(item: Finding, values: Sequence[str]) -> Finding:
    """A finding that does not tell any of these values."""
    if not values:
        return item
    return msgspec.structs.replace(
        item,
        message=hidden(item.message, values),
        file=hidden(item.file, values),
        hint=item.hint and hidden(item.hint, values),
        source=item.source and hidden(item.source, values),
    )
