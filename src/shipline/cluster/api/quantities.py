"""Amounts as Kubernetes writes them: `100m`, `1.5`, `900Gi`, `1e3`.

`canonical` is the form that the API stores: no fractions, the largest suffix that keeps the number whole.
"""

from __future__ import annotations

import re
from decimal import ROUND_UP, Context, Decimal, localcontext
from functools import lru_cache

PATTERN = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"

_FORM = re.compile(r"^([+-]?)(\d+\.?\d*|\.\d+)(|Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d+)$")
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_NANO = Decimal(1).scaleb(-9)
_LARGEST = Decimal(2**63 - 1)
_EXPONENTS = range(-40, 41)
_PRECISE = Context(prec=80)


class QuantityError(ValueError):
    """Not an amount; the text is Kubernetes' own."""

    def __init__(self) -> None:
        super().__init__(f"quantities must match the regular expression '{PATTERN}'")


def _parse(text: str) -> tuple[Decimal, str]:
    """The value and the kind of its suffix: "binary", "decimal" or "exponent"."""
    match = _FORM.match(text)
    if match is None:
        raise QuantityError
    sign, digits, suffix = match.groups()
    if len(digits) > _PRECISE.prec // 2:
        raise QuantityError
    with localcontext(_PRECISE):
        number = Decimal(sign + digits)
        if suffix in _BINARY:
            return _capped(number * 1024 ** _BINARY[suffix]), "binary"
        if suffix in _DECIMAL:
            return _capped(number.scaleb(_DECIMAL[suffix])), "decimal"
        exponent = int(suffix[1:])
        if exponent not in _EXPONENTS:
            raise QuantityError
        return _capped(number.scaleb(exponent)), "exponent"


def _capped(number: Decimal) -> Decimal:
    """Larger amounts than a 64-bit number are that number, as in Kubernetes."""
    return max(-_LARGEST, min(_LARGEST, number))


def value(text: str) -> Decimal:
    """The amount in its unit (cores, bytes); QuantityError when it cannot be read."""
    return _parse(str(text))[0]


@lru_cache(maxsize=1024)
def canonical(text: str) -> str:
    """The one way to write this amount; QuantityError when it cannot be read."""
    number, form = _parse(text)
    with localcontext(_PRECISE):
        return _written(number, form)


def _written(number: Decimal, form: str) -> str:
    number = number.quantize(_NANO, rounding=ROUND_UP) if number % _NANO else number
    if form == "binary" and (number == number.to_integral_value()) and (abs(number) >= 1024 or number == 0):
        return _binary(int(number))
    if form == "exponent":
        return _exponent(number)
    return _decimal(number)


def _binary(number: int) -> str:
    if number == 0:
        return "0"
    suffix = ""
    for name in _BINARY:
        if number % 1024:
            break
        number //= 1024
        suffix = name
    return f"{number}{suffix}"


def _decimal(number: Decimal) -> str:
    if number == 0:
        return "0"
    for name, power in reversed(_DECIMAL.items()):
        scaled = number.scaleb(-power)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{name}"
    return f"{int(number.scaleb(9))}n"


def _exponent(number: Decimal) -> str:
    if number == 0:
        return "0"
    for power in range(18, -10, -3):
        scaled = number.scaleb(-power)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}e{power}" if power else str(int(scaled))
    return str(number)
