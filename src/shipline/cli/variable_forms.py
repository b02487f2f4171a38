"""A project's variables as text: JSON in the form of GitLab's API, dotenv lines, and both of them read."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shipline.engine.records import ProjectVariable

_SAFE = re.compile(r"[A-Za-z0-9_@:.,~+/=-]*\Z")
_FIELDS = {"key", "value", "masked", "protected", "raw", "environment_scope", "hidden", "description"}


def as_api(item: ProjectVariable) -> dict[str, Any]:
    """The object that GitLab's API gives for a variable."""
    return {
        "variable_type": item.kind,
        "key": item.key,
        "value": item.value,
        "hidden": item.hidden,
        "protected": item.protected,
        "masked": item.masked,
        "raw": item.raw,
        "environment_scope": item.environment_scope,
        "description": item.description or None,
    }


def as_dotenv(item: ProjectVariable) -> str:
    """A line (a quoted value may go over several) that `variables_in` reads again."""
    if _SAFE.match(item.value):
        return f"{item.key}={item.value}\n"
    if "'" not in item.value:
        return f"{item.key}='{item.value}'\n"
    escaped = re.sub(r'(["\\$])', r"\\\1", item.value)
    return f'{item.key}="{escaped}"\n'


def variables_in(file: Path, defaults: dict[str, Any]) -> list[ProjectVariable]:
    """The variables of a file; `defaults` are fields of which it says nothing. Raises click.UsageError."""
    import msgspec

    from shipline.engine.records import ProjectVariable

    found = []
    for fields in _entries(file):
        try:
            found.append(msgspec.convert(defaults | fields, ProjectVariable))
        except msgspec.ValidationError as error:
            raise click.UsageError(f"{file}: variable {fields.get('key', '?')}: {error}.") from None
    return found


def _entries(file: Path) -> list[dict[str, Any]]:
    """The fields of each variable that are given."""
    from shipline.cli.variables_file import entries, entries_of

    name = "standard input" if str(file) == "-" else str(file)
    if str(file) == "-":
        text = sys.stdin.read()
    elif not file.exists():
        raise click.UsageError(f"There is no file {file}.")
    else:
        text = file.read_bytes().decode("utf-8-sig", errors="replace")
    if text.lstrip().startswith("["):
        try:
            content = json.loads(text)
        except ValueError as error:
            raise click.UsageError(f"{name}: not valid JSON: {error}.") from None
        return [_fields(entry, name) for entry in content]
    if str(file) == "-":
        return entries(Path("variables.json" if text.lstrip().startswith("{") else name), text)
    return entries_of(file)


def _fields(entry: Any, name: str) -> dict[str, Any]:
    if not isinstance(entry, dict) or "key" not in entry:
        raise click.UsageError(f"{name}: each variable must be an object with a key.")
    if entry.get("value") is None:
        raise click.UsageError(f"{name}: {entry['key']} has no value (a hidden one is not given out).")
    fields = {key: value for key, value in entry.items() if key in _FIELDS and value is not None}
    if "variable_type" in entry:
        fields["kind"] = entry["variable_type"]
    return fields
