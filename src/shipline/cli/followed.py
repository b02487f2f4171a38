"""The jobs that `--follow` names: one by its name, all of a parallel job by the name before its numbers, and those
of triggered pipelines with the trigger jobs above them or without."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBERED = re.compile(r"(?: \d+/\d+|: \[.*\])\Z", re.DOTALL)


class Followed:
    """Which jobs are followed. `name` in the methods is what the job is called (`deploy/smoke test 1/3`), `own` its
    name in its pipeline."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = set(names)
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self.names)

    def add(self, names: Iterable[str]) -> None:
        self.names |= set(names)
        self._known.clear()

    def has(self, name: str, own: str) -> bool:
        if name not in self._known:
            self._known[name] = not self.names.isdisjoint(called(name, own))
        return self._known[name]

    def several(self) -> bool:
        """Whether the logs of more than one job may come."""
        return len(self.names) > 1 or sum(self._known.values()) > 1


def called(name: str, own: str) -> set[str]:
    """All that a job may be called by."""
    return {name, own, group(name), group(own)}


def group(name: str) -> str:
    """The name of the parallel job that a job is one of; else its own."""
    return _NUMBERED.sub("", name)
