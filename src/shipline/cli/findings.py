"""Findings of the language for people and programs: text with carets, JSON, SARIF, GitLab's code quality."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from shipline.cli.widths import width

if TYPE_CHECKING:
    from shipline.language import Finding

COLORS = {"error": "red", "warning": "yellow"}
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(found: list[Finding], shown: str) -> str:
    """Each finding with its line and a caret, and a count at the end."""
    if not found:
        return ""
    parts = [one(item) for item in found]
    errors = sum(1 for item in found if item.severity == "error")
    counts = [count(errors, "error"), count(len(found) - errors, "warning")]
    return "\n\n".join(parts) + "\n\n" + " and ".join(part for part in counts if part) + f" in {shown}."


def count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}" if number else ""


def one(item: Finding) -> str:
    """One finding: place, message, the line with a caret, what to do."""
    place = f"{item.file}:{item.line}:{item.column}" if item.line else item.file
    lines = [f"{place}: {click.style(item.severity, COLORS[item.severity], bold=True)}: {item.message}"]
    if item.source is not None and item.source.strip():
        number = str(item.line)
        source, column = visible(item.source, item.column)
        lines.append(f" {number} | {source}")
        lines.append(f" {' ' * len(number)} | {' ' * (column - 1)}^")
    if item.hint:
        lines.append(f"   {click.style('hint', bold=True)}: {item.hint}")
    return "\n".join(lines)


def visible(source: str, column: int) -> tuple[str, int]:
    """A line as a terminal shows it, cut to what stands around the column; and the place of the column in it."""
    before = source[: column - 1].expandtabs(4)
    line = before + source[column - 1 :].expandtabs(4)
    start = max(0, len(before) - 60) if len(line) > 110 else 0
    cut = line[start : start + 110]
    if start:
        cut = "…" + cut[1:]
    shown = "".join(char if char.isprintable() else "?" for char in cut)
    return shown, width(shown[: len(before) - start]) + 1


def as_json(found: list[Finding], shown: str) -> str:
    """`valid`, `errors` and `warnings`."""
    from shipline.language.lint import as_data, valid

    data: dict[str, Any] = {"valid": valid(found)}
    for kind in ("error", "warning"):
        data[f"{kind}s"] = [as_data(item) for item in found if item.severity == kind]
    import json

    return json.dumps(data, indent=2, ensure_ascii=False)


def as_sarif(found: list[Finding], shown: str) -> str:
    """SARIF 2.1.0, as code scanners read it."""
    from shipline import __version__

    checks = sorted({item.check for item in found})
    results = [
        {
            "ruleId": item.check,
            "level": item.severity,
            "message": {"text": item.message + (f" ({item.hint})" if item.hint else "")},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": item.file},
                        "region": {"startLine": max(item.line, 1), "startColumn": max(item.column, 1)},
                    }
                }
            ],
        }
        for item in found
    ]
    driver = {"name": "shipline lint", "version": __version__, "rules": [{"id": check} for check in checks]}
    import json

    return json.dumps(
        {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]},
        indent=2,
        ensure_ascii=False,
    )


def as_codequality(found: list[Finding], shown: str) -> str:
    """GitLab's code quality report."""
    import hashlib
    import json

    report = [
        {
            "description": item.message + (f" ({item.hint})" if item.hint else ""),
            "check_name": item.check,
            "fingerprint": hashlib.sha256(f"{item.file}\n{item.message}\n{item.source}".encode()).hexdigest(),
            "severity": "major" if item.severity == "error" else "minor",
            "location": {"path": item.file, "lines": {"begin": max(item.line, 1)}},
        }
        for item in found
    ]
    return json.dumps(report, indent=2, ensure_ascii=False)


FORMS: dict[str, Callable[[list[Finding], str], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "codequality": as_codequality,
}
