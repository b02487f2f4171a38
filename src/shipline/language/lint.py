"""Checking a file without making a pipeline of it: every error and warning as data."""

from __future__ import annotations

import msgspec

from shipline.language.compiler import Compilation, run
from shipline.language.context import Context
from shipline.language.findings import Finding, LanguageError
from shipline.language.loader import Loader, MemoryLoader


def lint(text: str, context: Context, loader: Loader | None = None) -> list[Finding]:
    """What is wrong with a file in given circumstances, errors first; empty when it is right.

    Each finding has its file, line, column, message, hint and, where the text is known, the line itself.
    """
    done = Compilation(context, missing=[])
    errors: list[Finding] = []
    try:
        run(done, text, loader or MemoryLoader())
    except LanguageError as error:
        errors = error.findings
    return [*errors, *done.told(done.warnings)]


def valid(findings: list[Finding]) -> bool:
    """Whether there is no error among the findings."""
    return not any(item.severity == "error" for item in findings)


def as_data(item: Finding) -> dict[str, object]:
    """A finding for JSON, without what it does not have."""
    data = msgspec.structs.asdict(item)
    return {key: value for key, value in data.items() if value is not None and key != "part"}
