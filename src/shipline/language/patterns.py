"""Regular expressions of a pipeline: `/pattern/flags` in RE2, as GitLab builds them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re2  # imported with the first pattern: many files have none

SYNTAX = re.compile(r"^/(?P<regexp>.*)/(?P<flags>[ismU]*)$", re.MULTILINE)


class BadPattern(ValueError):
    """Not a regular expression that RE2 accepts; the text says why."""


class Pattern:
    """A compiled RE2 pattern. `found_in` searches anywhere in a text."""

    __slots__ = ("compiled", "source")

    def __init__(self, source: str, flags: str = "") -> None:
        import re2

        self.source = source
        text = f"(?{''.join(sorted(set(flags)))}){source}" if flags else source
        try:
            self.compiled = re2.compile(text, quiet())
        except (re2.error, UnicodeError) as error:
            raise BadPattern(reason(error)) from None

    def found_in(self, text: str) -> bool:
        try:
            return self.compiled.search(text) is not None
        except UnicodeError:
            return False


@lru_cache(maxsize=1)
def quiet() -> re2.Options:
    """RE2's options: it writes nothing to standard error."""
    import re2

    options = re2.Options()
    options.log_errors = False
    return options


def reason(error: Exception) -> str:
    """RE2's words for what is wrong with a pattern."""
    said = error.args[0] if error.args else error
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


@lru_cache(maxsize=1024)
def slashed(text: str) -> Pattern:
    """The pattern of a text like `/^v/i`. Raises BadPattern where it is none or RE2 refuses it."""
    match = SYNTAX.search(text)
    if match is None:
        raise BadPattern("a pattern stands between slashes")
    return Pattern(match["regexp"], match["flags"])


def looks_slashed(text: str) -> bool:
    """Whether a text has the form of a pattern, valid or not."""
    return SYNTAX.search(text) is not None
