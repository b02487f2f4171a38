"""The room's error."""

from __future__ import annotations


class FunctionError(Exception):
    """A step that cannot run as it is written, or a function that broke its word; the text says which and why."""
