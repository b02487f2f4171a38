"""Variables from a file: YAML or JSON (a mapping from name to value, or a list as GitLab's API gives it), or lines
of NAME=VALUE as dotenv files have them. The file's name says which: `.yml`, `.yaml` and `.json` are YAML, all
others are lines.

In a mapping, a variable may say more than its value: `{value: ..., type: file, masked: true, protected: true}`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

FIELDS = ("value", "type", "masked", "protected", "raw", "environment_scope", "description")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LINE = re.compile(r"(?:export\s+)?(?P<name>[^=\s]+)\s*=\s*(?P<value>.*)\Z", re.DOTALL)
_QUOTED = re.compile(r"""(?P<quote>["'])(?P<text>.*)(?P=quote)\s*(?:#.*)?\Z""", re.DOTALL)
_COMMENT = re.compile(r"\s+#.*\Z")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


def entries_of(path: Path) -> list[dict[str, Any]]:
    """The variables of a file, in its order, each with what is said of it: `key` and `value`, and fields of
    `shipline.engine.records.ProjectVariable`. Raises click.UsageError that names file and line."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{path} is not UTF-8 text: byte {error.start} cannot be read.") from None
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from None
    return entries(path, text)


def entries(path: Path, text: str) -> list[dict[str, Any]]:
    """The variables of a text; `path` is what errors call it, and tells its form."""
    if path.suffix.lower() in (".yml", ".yaml", ".json"):
        return _of_yaml(path, text)
    return [{"key": key, "value": value} for key, value in _of_lines(path, text)]


def _of_yaml(path: Path, text: str) -> list[dict[str, Any]]:
    content = _read(path, text)
    if content in (None, ""):
        return []
    if isinstance(content, list) and all(isinstance(each, dict) and "key" in each for each in content):
        return [_entry(path, str(each["key"]), each) for each in content]
    if not isinstance(content, dict):
        raise click.UsageError(f"{path}: write a mapping, one `NAME: value` a line.")
    return [_entry(path, str(name), value) for name, value in content.items()]


def _read(path: Path, text: str) -> Any:
    """What is written; every scalar is the text that it was written as, and JSON's null is None."""
    import yaml

    class Loader(yaml.CBaseLoader):
        pass

    if path.suffix.lower() == ".json":
        Loader.add_implicit_resolver("none", re.compile("null$"), ["n"])
        Loader.add_constructor("none", lambda loader, node: None)
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise click.UsageError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', error)}.") from None


def _entry(path: Path, name: str, written: Any) -> dict[str, Any]:
    fields = written if isinstance(written, dict) else {"value": written}
    if not isinstance(fields.get("value"), str):
        raise click.UsageError(
            f"{path}: the value of {name} must be text, not a {type(fields.get('value', fields)).__name__}."
        )
    found: dict[str, Any] = {"key": _checked(path, None, name), "value": fields["value"]}
    for field, text in fields.items():
        if field in ("type", "variable_type"):
            if text not in ("file", "env_var"):
                raise click.UsageError(f"{path}: the type of {name} is `file` or `env_var`, not `{text}`.")
            found["kind"] = text
        elif field in ("masked", "protected", "raw", "hidden"):
            found[field] = _yes(path, name, field, text)
        elif field == "expand":
            found["raw"] = not _yes(path, name, field, text)
        elif field == "environment_scope":
            found[field] = text
        elif field not in ("key", "value", "description", "options"):
            raise click.UsageError(f"{path}: {name} has no `{field}`: {', '.join(FIELDS)}.")
    return found


def _yes(path: Path, name: str, field: str, text: Any) -> bool:
    if text not in ("true", "false"):
        raise click.UsageError(f"{path}: `{field}` of {name} is true or false.")
    return bool(text == "true")


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
