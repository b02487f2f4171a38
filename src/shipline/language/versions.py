"""The version of a component: a ref as it is, `~latest`, or the newest of `1` or `1.2`."""

from __future__ import annotations

import re
from collections.abc import Sequence

FULL = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?\Z")
PARTIAL = re.compile(r"(\d+)(?:\.(\d+))?\Z")
LATEST = "~latest"


def chosen_version(wanted: str, versions: Sequence[str]) -> str | None:
    """The ref that a version means; None when no released version fits. Prereleases never count as newest."""
    partial = PARTIAL.match(wanted)
    if wanted != LATEST and (partial is None or wanted in versions):
        return wanted
    released = [(numbers(name), name) for name in versions if is_release(name)]
    if partial is not None:
        prefix = tuple(int(part) for part in partial.groups() if part is not None)
        released = [item for item in released if item[0][: len(prefix)] == prefix]
    return max(released)[1] if released else None


def released(versions: Sequence[str]) -> list[str]:
    """Those that are released versions, oldest first."""
    return sorted((name for name in versions if is_release(name)), key=numbers)


def is_range(wanted: str) -> bool:
    """Whether a version stands for the newest of several, so that the released ones must be known."""
    return wanted == LATEST or PARTIAL.match(wanted) is not None


def is_version(ref: str) -> bool:
    """Whether a ref is a version, and no branch or commit."""
    return FULL.match(ref) is not None


def is_release(name: str) -> bool:
    match = FULL.match(name)
    return match is not None and match[4] is None


def numbers(name: str) -> tuple[int, ...]:
    match = FULL.match(name)
    return tuple(int(match[place]) for place in (1, 2, 3)) if match else ()
