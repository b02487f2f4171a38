"""Columns, and the small texts that cells of many kinds share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
NONE, UNKNOWN = "<none>", "<unknown>"


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `type` and `format` are OpenAPI's; priority 0 is always shown."""

    name: str
    type: str = "string"
    priority: int = 0
    format: str = ""
    description: str = ""

    def definition(self) -> Json:
        """The column as a Table has it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description or f"{self.name} of the object.",
            "priority": self.priority,
        }


def _no_conditions(_: Json) -> list[Json]:
    return []


@dataclass(frozen=True, slots=True)
class Layout:
    """A kind's columns, its cells, and what a row says about its object being finished."""

    columns: tuple[Column, ...]
    cells: Callable[[Json], list[Any]]
    conditions: Callable[[Json], list[Json]] = _no_conditions


NAME = Column("Name", format="name", description="The object's name, unique within its namespace.")
AGE = Column("Age", description="Time since the object was made.")


def wide(*names: str) -> tuple[Column, ...]:
    """Text columns for `-o wide`."""
    return tuple(Column(name, priority=1) for name in names)


def moment(text: str | None) -> datetime | None:
    """A time of the wire."""
    return datetime.fromisoformat(text) if text else None


def since(text: str | None) -> str:
    """How long ago, as kubectl says it: `19s`, `3m20s`, `5h`, `2d4h`."""
    then = moment(text)
    return UNKNOWN if then is None else duration((datetime.now(UTC) - then).total_seconds())


def duration(seconds: float) -> str:
    """A span in two or three figures."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 120:
        return f"{max(whole, 0)}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 2920:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def age(obj: Json) -> str:
    """How old an object is."""
    return since(obj["metadata"].get("creationTimestamp"))


def pairs(labels: Mapping[str, str] | None) -> str:
    """Labels as `a=b,c=d`."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def selector(value: Json | None) -> str:
    """A LabelSelector in words; the parts in order of their keys."""
    if value is None:
        return NONE
    parts = [(key, f"{key}={text}") for key, text in (value.get("matchLabels") or {}).items()]
    for expression in value.get("matchExpressions") or ():
        key, values = expression["key"], ",".join(sorted(expression.get("values") or ()))
        words = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        parts.append((key, words.get(expression["operator"], "<error>")))
    return ",".join(text for _, text in sorted(parts)) or NONE


def first_few(items: Iterable[str], empty: str) -> str:
    """The first three of a list and how many more there are."""
    everything = list(items)
    shown = ",".join(everything[:3])
    if len(everything) > 3:
        return f"{shown} + {len(everything) - 3} more..."
    return shown or empty
