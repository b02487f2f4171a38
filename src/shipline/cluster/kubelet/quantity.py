"""Quantities in the units that a container engine counts in."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal

from shipline.cluster.api.quantities import value as parse

__all__ = ["ceiling", "millicores", "parse", "size", "total"]

_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def ceiling(amount: Decimal) -> int:
    """Rounded up to a whole number, as everything countable is."""
    return int(amount.to_integral_value(ROUND_CEILING))


def millicores(text: str) -> int:
    """A CPU quantity in thousandths of a core."""
    return ceiling(parse(text) * 1000)


def size(text: str) -> int:
    """A memory quantity in bytes."""
    return ceiling(parse(text))


def total(amounts: Iterable[str], resource: str) -> str:
    """The sum of a resource's amounts, written as the shortest quantity that is exact."""
    summed = sum((parse(amount) for amount in amounts), Decimal(0))
    if resource == "cpu":
        milli = ceiling(summed * 1000)
        return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"
    whole, power = ceiling(summed), 0
    while whole and whole % 1024 == 0 and power < len(_BINARY) - 1:
        whole, power = whole // 1024, power + 1
    return f"{whole}{_BINARY[power]}"
