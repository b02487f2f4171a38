"""What is wrong with a pipeline file: findings as data, and the one error that carries them."""

from __future__ import annotations

from typing import Literal

import msgspec

from shipline.language.values import NOWHERE, Place

Severity = Literal["error", "warning"]
UNDEFINED = "undefined"
"""The check of errors about something that is nowhere: an include that cannot be had may have it."""


class Finding(msgspec.Struct, frozen=True):
    """One error or warning. Line and column count from 1; 0 means the file as a whole.

    `source` is the line itself where it is known, `hint` what to do about it, `check` a stable short name, `part`
    the end of a longer value from where it is wrong on.
    """

    message: str
    file: str = ".gitlab-ci.yml"
    line: int = 0
    column: int = 0
    severity: Severity = "error"
    hint: str | None = None
    source: str | None = None
    check: str = "config"
    part: str | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        return where + self.message + (f" ({self.hint})" if self.hint else "")

    def lines(self) -> list[str]:
        """As compilers show theirs: file, line, column and message, and below them the line itself with a caret."""
        if self.source is None or not self.line:
            return [f"  {self}"]
        number = str(self.line)
        caret = f"    {' ' * len(number)} | {' ' * max(self.column - 1, 0)}^"
        return [f"  {self}", f"    {number} | {self.source}", caret]


def finding(
    message: str,
    place: Place = NOWHERE,
    hint: str | None = None,
    severity: Severity = "error",
    check: str = "config",
    part: str | None = None,
) -> Finding:
    """A finding at a place."""
    file = place.file or ".gitlab-ci.yml"
    return Finding(message, file, place.line, place.column, severity, hint, None, check, part)


def distinct(findings: list[Finding]) -> list[Finding]:
    """The findings without repetitions (a hidden job's mistake shows in each job that extends it)."""
    seen: set[tuple[str, int, int, str]] = set()
    found = []
    for item in findings:
        key = (item.file, item.line, item.column, item.message)
        if key not in seen:
            seen.add(key)
            found.append(item)
    return found


class LanguageError(Exception):
    """A pipeline that GitLab would refuse. `findings` holds at least one error, each with its place."""

    def __init__(self, findings: list[Finding] | Finding) -> None:
        self.findings = [findings] if isinstance(findings, Finding) else findings
        super().__init__()

    def __str__(self) -> str:
        return "\n".join(str(item) for item in self.findings)


def refuse(message: str, place: Place = NOWHERE, hint: str | None = None, check: str = "config") -> LanguageError:
    """The error for one problem, to be raised."""
    return LanguageError(finding(message, place, hint, check=check))
