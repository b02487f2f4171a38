"""What Moa's operators do with values: truth, order, text, sums. Nothing is converted unless it is asked for."""

from __future__ import annotations

import json
import math
from typing import Any

from shipline.runner.moa.syntax import MoaError

ORDER = ("null", "boolean", "number", "string", "array", "object")


def kind(value: Any) -> str:
    """The value's type, by Moa's names."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def as_text(value: Any) -> str:
    """The value inside a text: lists and objects as JSON, nothing as `<null>`."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<null>"
    return json.dumps(_whole(value), ensure_ascii=False, separators=(",", ":"))


def _whole(value: Any) -> Any:
    """The value with numbers that are whole written so."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1e21 else value
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return value


def compare(left: Any, right: Any) -> int:
    """Below, at or above 0. Values of different types are in the order of their types."""
    kinds = kind(left), kind(right)
    if kinds[0] != kinds[1]:
        return ORDER.index(kinds[0]) - ORDER.index(kinds[1])
    if kinds[0] == "null":
        return 0
    if kinds[0] == "array":
        return _compare_items(left, right)
    if kinds[0] == "object":
        if len(left) != len(right):
            return len(left) - len(right)
        keys = sorted(left), sorted(right)
        return _compare_items(*keys) or _compare_items([left[k] for k in keys[0]], [right[k] for k in keys[1]])
    if kinds[0] == "string":
        left, right = left.encode(errors="surrogatepass"), right.encode(errors="surrogatepass")
    return int(left > right) - int(left < right)


def _compare_items(left: list[Any], right: list[Any]) -> int:
    for one, other in zip(left, right, strict=False):
        if found := compare(one, other):
            return found
    return len(left) - len(right)


def binary(operator: str, left: Any, right: Any) -> Any:
    """`left operator right` for all operators but `&&` and `||`."""
    order = {"==": (0,), "!=": (-1, 1), "<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1)}
    if operator in order:
        found = compare(left, right)
        return int(found > 0) - int(found < 0) in order[operator]
    kinds = kind(left), kind(right)
    if operator == "+" and kinds == ("string", "string"):
        return left + right
    if kinds != ("number", "number"):
        raise MoaError(f"{kinds[0]} {operator} {kinds[1]} is not possible")
    if operator in ("/", "%") and right == 0:
        raise MoaError("division by zero")
    result = _result(operator, float(left), float(right))
    if not math.isfinite(result):
        raise MoaError("a number is too large")
    return _whole(result)


def _result(operator: str, left: float, right: float) -> float:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    return left / right if operator == "/" else math.fmod(left, right)


def unary(operator: str, value: Any) -> Any:
    if operator == "!":
        return not value
    if kind(value) != "number":
        raise MoaError(f"{operator}{kind(value)} is not possible")
    return value if operator == "+" else -value


def number(value: Any) -> int | float:
    """`num(value)`: a text read as a number."""
    if kind(value) == "number":
        return value  # type: ignore[no-any-return]
    try:
        found = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise MoaError(f"{as_text(value)!r} is no number")
    return _whole(found)  # type: ignore[no-any-return]
