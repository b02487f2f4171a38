"""The functions of an interpolation block: expand_vars, truncate, posix_escape, split."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from shipline.language.expansion import expand, named
from shipline.language.values import NOWHERE, List

TRUNCATE = re.compile(r"truncate\(\s*(\d+)\s*,\s*(\d+)\s*\)\Z")
SPLIT = re.compile(r"split\('([^']*)'\)\Z")
UNSAFE = re.compile(r"[^A-Za-z0-9_\-.,:+/@\n]")
KNOWN = "expand_vars, truncate(offset,length), posix_escape, split('separator')"


class BadFunction(ValueError):
    """A function that is unknown or does not fit its input."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def apply(function: str, value: Any, variables: Mapping[str, str], masked: Collection[str] = ()) -> Any:
    """A value after one function. Raises BadFunction."""
    if function == "expand_vars":
        text = as_string(value, "expand_vars")
        secret = next((name for name in named(text) if name in masked), None)
        if secret is not None:
            raise failed("expand_vars", f"variable expansion error: masked variables cannot be expanded: {secret}")
        return expand(text, variables, keep_undefined=True)
    if function == "posix_escape":
        return posix_escape(as_string(value, "posix_escape"))
    if match := TRUNCATE.match(function):
        start, length = int(match[1]), int(match[2])
        return as_string(value, "truncate")[start : start + length]
    if match := SPLIT.match(function):
        if not match[1]:
            raise failed("split", "invalid argument: separator cannot be empty")
        return split(as_string(value, "split"), match[1])
    text = f"no function matching `{function}`: check that the function name, arguments, and types are correct"
    raise BadFunction(text, f"known: {KNOWN}")


def as_string(value: Any, function: str) -> str:
    if not isinstance(value, str):
        raise failed(function, f"invalid input type: {function} can only be used with string inputs")
    return value


def failed(function: str, why: str) -> BadFunction:
    return BadFunction(f"error in `{function}` function: {why}")


def posix_escape(text: str) -> str:
    """A text as one word of a POSIX shell."""
    if not text:
        return "''"
    return UNSAFE.sub(r"\\\g<0>", text).replace("\n", "'\n'")


def split(text: str, separator: str) -> List:
    """The parts of a text without the blanks around them; empty parts are left out."""
    found = List(NOWHERE)
    for part in text.split(separator):
        if part.strip():
            found.add(part.strip(), NOWHERE)
    return found
