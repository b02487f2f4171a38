"""Amounts as Kubernetes writes them: `500m`, `2`, `64Mi`, `1.5Gi`, `12e3`."""

from __future__ import annotations

import re
from fractions import Fraction

_POWERS = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{letter: Fraction(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}


def amount(text: str | int | float) -> Fraction:
    """The number that a quantity stands for; ValueError if it is none."""
    match = re.fullmatch(r"([+-]?[0-9.]+)(?:[eE]([+-]?\d+)|([a-zA-Z]{0,2}))", str(text))
    if match is None or (match[3] or "") not in _POWERS:
        raise ValueError(f"{text!r} is no quantity")
    return Fraction(match[1]) * Fraction(10) ** int(match[2] or 0) * _POWERS[match[3] or ""]
