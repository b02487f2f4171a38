"""What the reports of a pipeline's jobs come to, as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipline.cli.widths import cut, plain
from shipline.engine.report_types import SECURITY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shipline.engine.records import Report

FINDINGS = frozenset(("codequality", *SECURITY))
"""The kinds of reports that list what was found."""
LISTED = {"cyclonedx": "component", "license_scanning": "license", "accessibility": "error"}
LONGEST = 200
"""Characters of a test's name that are shown where no terminal is."""


def report_lines(reported: Iterable[tuple[str, list[Report]]], columns: int | None) -> list[str]:
    """Of jobs by name: one line a report, and the names of the tests that went wrong. Nothing where nobody
    reported."""
    lines: list[str] = []
    room = LONGEST if columns is None else max(20, columns - 6)
    for name, reports in reported:
        for report in reports:
            if not (text := _text(report)):
                continue
            lines.append(f"  {plain(name)}: {text}")
            lines += [f"    x {cut(plain(test), room)}" for test in report.names]
            more = report.failed + report.errors - len(report.names)
            if report.names and more > 0:
                lines.append(f"    and {more} more")
    return ["", "Reports:", *lines] if lines else []


def _text(report: Report) -> str:
    """`junit: 12 tests, 1 failed`, `sast: 3 findings (2 high, 1 low)`; empty where nothing can be said."""
    kind = report.kind
    if report.problem:
        return f"{kind}: {plain(report.problem)}"
    if kind == "junit":
        numbers = ((report.failed, "failed"), (report.errors, "with errors"), (report.skipped, "skipped"))
        parts = [_counted(report.total, "test"), *(f"{number} {word}" for number, word in numbers if number)]
        return f"junit: {', '.join(parts)}"
    if report.coverage is not None:
        return f"{kind}: {report.coverage:g} % of lines covered"
    if kind == "terraform":
        return "terraform: " + ", ".join(f"{number} to {word}" for word, number in report.counts.items())
    if kind in LISTED:
        return f"{kind}: {_counted(report.errors if kind == 'accessibility' else report.total, LISTED[kind])}"
    if kind in FINDINGS:
        by = ", ".join(f"{number} {word}" for word, number in sorted(report.counts.items()))
        return f"{kind}: {_counted(report.total, 'finding')}{f' ({by})' if by else ''}"
    return ""


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
