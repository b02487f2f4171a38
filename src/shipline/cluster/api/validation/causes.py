"""Reasons against an object, each with its field, collected in the order found."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def quoted(value: Any) -> str:
    """A value as Kubernetes prints it in a message."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Causes:
    """`found` holds (reason, field, message)."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, str]] = []

    def required(self, field: str, why: str = "") -> None:
        """The field must be there."""
        self.found.append(("FieldValueRequired", field, f"Required value: {why}" if why else "Required value"))

    def invalid(self, field: str, value: Any, why: str) -> None:
        """The value isn't right."""
        self.found.append(("FieldValueInvalid", field, f"Invalid value: {quoted(value)}: {why}"))

    def unsupported(self, field: str, value: Any, supported: Iterable[str]) -> None:
        """The value isn't one of those known."""
        known = ", ".join(quoted(name) for name in sorted(supported))
        message = f"Unsupported value: {quoted(value)}: supported values: {known}"
        self.found.append(("FieldValueNotSupported", field, message))

    def duplicate(self, field: str, value: Any) -> None:
        """It is there twice."""
        self.found.append(("FieldValueDuplicate", field, f"Duplicate value: {quoted(value)}"))

    def missing(self, field: str, value: Any) -> None:
        """It names something that isn't there."""
        self.found.append(("FieldValueNotFound", field, f"Not found: {quoted(value)}"))

    def forbidden(self, field: str, why: str) -> None:
        """It may not be set or changed."""
        self.found.append(("FieldValueForbidden", field, f"Forbidden: {why}"))

    def too_long(self, field: str, limit: int) -> None:
        """It holds more bytes than it may."""
        self.found.append(("FieldValueTooLong", field, f"Too long: may not be more than {limit} bytes"))
