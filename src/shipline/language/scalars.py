"""Plain YAML scalars as GitLab sees them: YAML 1.1 as Ruby's Psych reads it, not as PyYAML does.

`012` is octal, `1:30` is base 60, `yes` and `on` are booleans (`y` and `n` are not), `1,000` is a number, and
a date is refused because GitLab allows no such class.
"""

from __future__ import annotations

import re
from typing import Any

TEXT = re.compile(r"[^\d.:-]?[^\W\d]|[^\d.:-]?[\s!@#$%^&*(){}<>|/\\~;=]")
LONGEST_NUMBER = 1000
WORDS = {
    "null": None,
    "yes": True,
    "true": True,
    "on": True,
    "no": False,
    "false": False,
    "off": False,
}
TIME = re.compile(
    r"-?\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|\s+)\d{1,2}:\d\d:\d\d(?:\.\d*)?(?:\s*(?:Z|[-+]\d{1,2}:?(?:\d\d)?))?\Z"
)
DATE = re.compile(r"\d{4}-(?:1[012]|0\d|\d)-(?:[12]\d|3[01]|0\d|\d)\Z")
BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}\Z")
BASE_60_FLOAT = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}\.[0-9_]*\Z")
FLOAT = re.compile(r"(?:[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][+-][0-9]+)?)\Z")
INTEGER = re.compile(
    r"[-+]?0[b][01_,]+\Z|[-+]?0[0-7_,]+\Z|[-+]?(?:0|[1-9](?:[0-9]|,[0-9]|_[0-9])*)\Z|[-+]?0x[0-9a-fA-F_,]+\Z"
)


class UnsafeScalar(ValueError):
    """A scalar of a class that GitLab does not load; the text is the class."""


def plain_scalar(text: str) -> Any:
    """The value of an unquoted scalar: str, int, float, bool or None. Raises UnsafeScalar for dates."""
    if not text:
        return None
    first = text[0]
    if first.isalpha() or first == "_" or "\n" in text:
        return WORDS.get(text.lower(), text) if len(text) <= 5 else text
    if TEXT.match(text):
        return None if text == "~" else text
    return number(text)


def number(text: str) -> Any:
    """A scalar that does not begin like text: a number, a special float, a symbol, else text."""
    if len(text) > LONGEST_NUMBER:
        return text
    lower = text.lower()
    if lower in (".inf", "+.inf"):
        return float("inf")
    if lower == "-.inf":
        return float("-inf")
    if lower == ".nan":
        return float("nan")
    if TIME.match(text):
        raise UnsafeScalar("Time")
    if DATE.match(text):
        raise UnsafeScalar("Date")
    if text[0] == ":" and len(text) > 1:
        return symbol(text)
    if BASE_60.match(text):
        return base_60(text)
    if BASE_60_FLOAT.match(text):
        whole, _, rest = text.rpartition(":")
        return base_60(whole + ":0") + float(rest.replace("_", "") or 0)
    if FLOAT.match(text):
        return text if text in (".", "-.", "+.") else float(text.replace(",", "").replace("_", ""))
    if INTEGER.match(text):
        return integer(text)
    return text


def symbol(text: str) -> str:
    """A Ruby symbol as text: `:name` and `:"two words"`."""
    name = text[1:]
    if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        return name[1:-1]
    return name


def base_60(text: str) -> int:
    """`1:30` as Psych computes it: the first part times 3600, the second times 60, the third once."""
    total = 0
    for place, part in enumerate(text.split(":")):
        total += int(part.replace("_", "")) * 60 ** abs(place - 2)
    return total


def integer(text: str) -> Any:
    """An integer in binary, octal, decimal or hexadecimal; text where no digits are left."""
    digits = text.replace(",", "").replace("_", "")
    sign = -1 if digits[0] == "-" else 1
    digits = digits.lstrip("+-")
    try:
        if digits[:2] == "0b":
            return sign * int(digits[2:], 2)
        if digits[:2] == "0x":
            return sign * int(digits[2:], 16)
        if digits[0] == "0" and len(digits) > 1:
            return sign * int(digits, 8)
        return sign * int(digits)
    except ValueError:
        return text
