"""Variables from a file: YAML or JSON (a mapping from name to value), or lines of NAME=VALUE as dotenv files have
them. The file's name says which: `.yml`, `.yaml` and `.json` are YAML, all others are lines."""

from __future__ import annotations

import re
from pathlib import Path

import click

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LINE = re.compile(r"(?:export\s+)?(?P<name>[^=\s]+)\s*=\s*(?P<value>.*)\Z", re.DOTALL)
_QUOTED = re.compile(r"""(?P<quote>["'])(?P<text>.*)(?P=quote)\s*(?:#.*)?\Z""", re.DOTALL)
_COMMENT = re.compile(r"\s+#.*\Z")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


def variables_of(path: Path) -> list[tuple[str, str]]:
    """The variables of a file, in its order. Raises click.UsageError that names file and line."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{path} is not UTF-8 text: byte {error.start} cannot be read.") from None
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from None
    return parsed(path, text)


def parsed(path: Path, text: str) -> list[tuple[str, str]]:
    """The variables of a text; `path` is what errors call it, and tells its form."""
    if path.suffix.lower() in (".yml", ".yaml", ".json"):
        return _of_mapping(path, text)
    return _of_lines(path, text)


def _of_mapping(path: Path, text: str) -> list[tuple[str, str]]:
    import yaml

    try:
        content = yaml.load(text, yaml.CBaseLoader)  # every scalar is the text that was written
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise click.UsageError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', error)}.") from None
    if content in (None, ""):
        return []
    if not isinstance(content, dict):
        raise click.UsageError(f"{path}: write a mapping, one `NAME: value` a line.")
    pairs = []
    for name, value in content.items():
        if isinstance(value, dict) and isinstance(value.get("value"), str):
            value = value["value"]
        if not isinstance(value, str):
            raise click.UsageError(f"{path}: the value of {name} must be text, not a {type(value).__name__}.")
        pairs.append((_checked(path, None, str(name)), value))
    return pairs


def _of_lines(path: Path, text: str) -> list[tuple[str, str]]:
    pairs = []
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        found = _LINE.match(line)
        if found is None:
            raise click.UsageError(f"{path}:{number}: not NAME=VALUE.")
        value = found["value"]
        while value[:1] in ('"', "'") and not _closed(value):
            more = next(lines, None)
            if more is None:
                raise click.UsageError(f"{path}:{number}: the quote of {found['name']} is never closed.")
            value += "\n" + more[1]
        pairs.append((_checked(path, number, found["name"]), _unquoted(value)))
    return pairs


def _closed(value: str) -> bool:
    """Whether a quoted value ends on this line; a quote after a backslash does not end it."""
    rest = re.sub(r"\\.", "", value[1:], flags=re.DOTALL) if value[0] == '"' else value[1:]
    return value[0] in rest


def _unquoted(value: str) -> str:
    found = _QUOTED.match(value)
    if found is None:
        return _COMMENT.sub("", value).strip()
    text = found["text"]
    if found["quote"] == "'":
        return text
    return re.sub(r"\\(.)", lambda match: _ESCAPED.get(match[1], match[0]), text, flags=re.DOTALL)


def _checked(path: Path, line: int | None, name: str) -> str:
    if not NAME.match(name):
        where = f"{path}:{line}" if line else str(path)
        raise click.UsageError(f"{where}: '{name}' is no variable's name (letters, digits and _).")
    return name
