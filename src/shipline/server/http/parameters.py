"""The parameters of a call, wherever they came from: query, JSON, form.

Names with brackets stand for lists and hashes: `scope[]=a`, `filter[environment_scope]=b`, `variables[0][key]=c`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from shipline.server.http.answers import wrong_parameter

TRUE = ("true", "True", "1", "yes", "on", "t")
LARGEST = 2**31 - 1
"""What the databases keep; a larger number names nothing."""
FALSE = ("false", "False", "0", "no", "off", "f", "")


def nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The values of a query or form, with lists and hashes made of names with brackets."""
    values: dict[str, Any] = {}
    for name, value in pairs:
        head, *rest = re.findall(r"[^\[\]]+|\[\]", name) or [name]
        _put(values, head, rest, value)
    return {key: _listed(value) for key, value in values.items()}


def number_in(text: str) -> int | None:
    """The number that a text is; None for any other text, and for one that nothing here could have."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(LARGEST)) or int(text) > LARGEST:
        return None
    return int(text)


def has_nul(value: Any) -> bool:
    """Whether a NUL is somewhere in the texts of a value: no name and no database has a place for one."""
    if isinstance(value, dict):
        return any(has_nul(key) or has_nul(item) for key, item in value.items())
    if isinstance(value, list):
        return any(map(has_nul, value))
    return isinstance(value, str) and "\0" in value


def _put(values: dict[str, Any], key: str, rest: list[str], value: Any) -> None:
    if not rest:
        values[key] = value
        return
    if rest[0] != "[]":
        inner = values.setdefault(key, {})
        if isinstance(inner, dict):
            _put(inner, rest[0], rest[1:], value)
        return
    items = values.setdefault(key, [])
    if not isinstance(items, list):
        return
    if len(rest) == 1:
        items.append(value)
        return
    if not items or not isinstance(items[-1], dict) or rest[1] in items[-1]:
        items.append({})
    _put(items[-1], rest[1], rest[2:], value)


def _listed(value: Any) -> Any:
    """Hashes with the keys 0, 1, 2 ... are lists."""
    if isinstance(value, dict):
        inner = {key: _listed(item) for key, item in value.items()}
        places = {key: number_in(key) for key in inner}
        if inner and None not in places.values():
            return [inner[key] for key in sorted(inner, key=lambda key: places[key] or 0)]
        return inner
    return value


class Parameters:
    """Typed access to parameters. A value of the wrong type ends the call with 400, as GitLab words it."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def given(self, name: str) -> bool:
        return self.values.get(name) is not None

    def required(self, *names: str) -> None:
        missing = [name for name in names if self.values.get(name) is None]
        if missing:
            raise wrong_parameter(", ".join(f"{name} is missing" for name in missing))

    def text(self, name: str, default: str = "") -> str:
        value = self.values.get(name)
        if value is None:
            return default
        if isinstance(value, (dict, list)):
            raise wrong_parameter(f"{name} is invalid")
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)

    def filled(self, name: str) -> str:
        """A text that must be there and not blank."""
        self.required(name)
        if not (value := self.text(name)).strip():
            raise wrong_parameter(f"{name} is empty")
        return value

    def integer(self, name: str, default: int | None = None) -> int | None:
        value = self.values.get(name)
        if value is None or value == "":
            return default
        try:
            if isinstance(value, (bool, dict, list)):
                raise ValueError
            number = int(value)
            if abs(number) > LARGEST:
                raise ValueError
            return number
        except (ValueError, OverflowError):
            raise wrong_parameter(f"{name} is invalid") from None

    def boolean(self, name: str, default: bool = False) -> bool:
        value = self.values.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        if str(value) in TRUE:
            return True
        if str(value) in FALSE:
            return False
        raise wrong_parameter(f"{name} is invalid")

    def moment(self, name: str) -> float | None:
        """A point in time, in Unix seconds."""
        text = self.text(name)
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise wrong_parameter(f"{name} is invalid") from None

    def choice(self, name: str, allowed: Collection[str], default: str = "") -> str:
        value = self.text(name, default)
        if value and value not in allowed:
            raise wrong_parameter(f"{name} does not have a valid value")
        return value

    def listed(self, name: str) -> list[Any]:
        """A list; text is split at its commas."""
        value = self.values.get(name)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        raise wrong_parameter(f"{name} is invalid")

    def mapping(self, name: str) -> dict[str, Any]:
        value = self.values.get(name)
        if value is None or value == []:
            return {}
        if not isinstance(value, dict):
            raise wrong_parameter(f"{name} is invalid")
        return value
