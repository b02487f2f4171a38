"""Placeholder."""

from __future__ import annotations

from typing import Any

from shipline.language.entry import Entry
from shipline.language.values import plain


def secrets(entry: Entry) -> Any:
    return plain(entry.value)


def id_tokens(entry: Entry) -> Any:
    return plain(entry.value)


def identity(entry: Entry) -> Any:
    return plain(entry.value)


def dast_configuration(entry: Entry) -> Any:
    return plain(entry.value)
