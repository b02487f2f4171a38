"""Kubernetes' quantities (500m, 2Gi, 1e3), to be compared."""

from __future__ import annotations

import re
from decimal import Decimal

_FORM = re.compile(r"(?P<number>[+-]?(\d+(\.\d*)?|\.\d+))(?P<unit>([eE][+-]?\d+)|[KMGTPE]i|[numkMGTPE])?")
_DECIMAL = {
    unit: Decimal(10) ** power for unit, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)
}
_BINARY = {f"{unit}i": Decimal(1 << 10 * power) for power, unit in enumerate("KMGTPE", start=1)}


def quantity(text: str) -> Decimal:
    """The number that `text` stands for; ValueError when it is none."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no quantity: write 500m or 2 for processors, 512Mi or 2Gi for memory")
    unit = found["unit"] or ""
    if unit[:1] in ("e", "E") and unit[1:]:
        return Decimal(found["number"] + unit)
    return Decimal(found["number"]) * (_DECIMAL | _BINARY).get(unit, Decimal(1))
