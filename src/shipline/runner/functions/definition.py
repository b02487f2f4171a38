"""A function's definition: `func.yml`, with what it takes and gives in one document and what it does in another."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from shipline.runner.functions.errors import FunctionError
from shipline.runner.moa.values import kind

TYPES = ("array", "boolean", "number", "string", "struct")


class Parameter(msgspec.Struct, frozen=True):
    """An input or output; without a default it has to be given."""

    type: str = "string"
    default: Any = msgspec.UNSET


class Definition(msgspec.Struct):
    """`command` or `steps`. `outputs` None: they are those of the step `delegate`, or what a command writes."""

    inputs: dict[str, Parameter] = {}
    outputs: dict[str, Parameter] | None = {}
    env: dict[str, str] = {}
    command: list[str] = []
    work_dir: str = ""
    steps: list[dict[str, Any]] = []
    results: dict[str, Any] = {}
    delegate: str = ""


def definition(text: str) -> Definition:
    """Reads the two documents. Raises FunctionError."""
    import yaml

    try:
        documents = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as error:
        raise FunctionError(f"it is no YAML: {' '.join(str(error).split())}") from None
    if len(documents) != 2:
        raise FunctionError("it has two documents, `spec:` and what the function does, with a line `---` between")
    spec = _mapping(_mapping(documents[0], "the first document").get("spec"), "`spec`")
    does = _mapping(documents[1], "the second document")
    delegated = spec.get("outputs") == "delegate"
    found = Definition(
        inputs=_parameters(spec.get("inputs"), "`spec:inputs`"),
        outputs=None if delegated else _parameters(spec.get("outputs"), "`spec:outputs`"),
        env={str(key): str(value) for key, value in _mapping(does.get("env"), "`env`").items()},
        results=_mapping(does.get("outputs"), "`outputs`"),
        delegate=str(does.get("delegate") or ""),
    )
    if ("exec" in does) == ("run" in does):
        raise FunctionError("it does one of two things: `exec` or `run`")
    if "exec" in does:
        execute = _mapping(does["exec"], "`exec`")
        command = execute.get("command")
        if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
            raise FunctionError("`exec:command` is a list of strings")
        found.command, found.work_dir = command, str(execute.get("work_dir") or "")
    else:
        found.steps = steps(does["run"])
    return found


def steps(written: Any) -> list[dict[str, Any]]:
    """A list of steps: each has a `name`, and one of `func`, `step` and `script`."""
    if not isinstance(written, list):
        raise FunctionError("`run` is a list of steps")
    for step in written:
        if not isinstance(step, dict) or sum(key in step for key in ("func", "step", "script")) != 1:
            raise FunctionError("each step has one of `func` and `script`")
    return written


def given(parameters: dict[str, Parameter], values: dict[str, Any], what: str) -> dict[str, Any]:
    """Values checked against what is declared, with defaults filled in. `what`: input or output."""
    for name, value in values.items():
        if name not in parameters:
            raise FunctionError(f"{what} {name!r} is not declared")
        declared, has = parameters[name].type, _type(value)
        if declared != has:
            raise FunctionError(f"{what} {name!r} is declared as {declared}, and this is of type {has}")
    for name, parameter in parameters.items():
        if name not in values and parameter.default is msgspec.UNSET:
            raise FunctionError(f"{what} {name!r} is missing")
    return {name: values.get(name, parameter.default) for name, parameter in parameters.items()}


def written_values(text: str) -> dict[str, Any]:
    """What a function wrote to its output or export file: a JSON object with `name` and `value` in each line."""
    found: dict[str, Any] = {}
    for line in filter(str.strip, text.split("\n")):
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or entry.get("value") is None:
            raise FunctionError(f'{line.strip()[:80]!r} is not {{"name": ..., "value": ...}}')
        found[entry["name"]] = entry["value"]
    return found


def _type(value: Any) -> str:
    found = kind(value)
    return "struct" if found == "object" else found


def _parameters(written: Any, what: str) -> dict[str, Parameter]:
    found = {}
    for name, settings in _mapping(written, what).items():
        settings = _mapping(settings, f"{what} {name!r}")
        declared = str(settings.get("type") or "string")
        if declared not in TYPES:
            raise FunctionError(f"{what} {name!r}: the type is one of {', '.join(TYPES)}")
        found[str(name)] = Parameter(declared, settings.get("default", msgspec.UNSET))
        if "default" in settings and _type(settings["default"]) != declared:
            raise FunctionError(f"{what} {name!r}: the default is not of type {declared}")
    return found


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FunctionError(f"{what} is a mapping")
    return value
