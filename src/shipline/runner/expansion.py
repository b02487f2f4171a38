"""`$NAME` and `${NAME}` in a text, replaced once, by the rules that gitlab-runner takes from Go's os.Expand.

Not a shell's: `$$` is a dollar, `${}` and an unclosed `${` vanish, a dollar before anything else stays, and names
that nobody has become nothing. Values are not expanded again.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_REFERENCE = re.compile(
    r"\$(?:\{(?P<braced>[^}]+)\}|(?P<empty>\{\}?)|(?P<special>[*#$@!?0-9-])|(?P<name>[A-Za-z_][A-Za-z0-9_]*))"
)


def expand(text: str, value: Callable[[str], str]) -> str:
    """`text` with each reference replaced by `value(name)`."""
    if "$" not in text:
        return text

    def replaced(match: re.Match[str]) -> str:
        if match["empty"]:
            return ""
        name = match["braced"] or match["special"] or match["name"]
        return "$" if name == "$" else value(name)

    return _REFERENCE.sub(replaced, text)
