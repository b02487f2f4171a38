"""The wildcards of `include:local`: `*` stops at a slash, `**` does not. Not the globs of rules."""

from __future__ import annotations

import re
from collections.abc import Sequence


def wildcard_matches(pattern: str, paths: Sequence[str]) -> list[str]:
    """The paths that a pattern stands for, sorted."""
    parts = re.split(r"(\*\*|\*)", pattern)
    wild = {"**": ".*", "*": "[^/]*"}
    compiled = re.compile("".join(wild.get(part, re.escape(part)) for part in parts))
    return sorted(path for path in paths if compiled.fullmatch(path))
