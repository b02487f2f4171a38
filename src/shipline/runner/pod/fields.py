"""A small thing that every part of a pod's text needs: leaving out what is not set."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


def without_empty(fields: Object) -> Object:
    """`fields` less those that are None or empty; False and 0 stay."""
    return {key: value for key, value in fields.items() if value not in (None, "", [], {})}
