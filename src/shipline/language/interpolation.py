"""Placeholder."""

from __future__ import annotations

from typing import Any


def interpolated(documents: Any, inputs: Any, values: Any, component: Any, place: Any, header_file: Any) -> Any:
    return documents[0].value
