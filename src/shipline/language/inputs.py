"""`spec:inputs`: what a file asks to be given, and the values that it gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from shipline.language.documents import read_documents
from shipline.language.entry import Entry, did_you_mean, is_boolean, is_integer, is_string
from shipline.language.expressions import ExpressionError, holds, names, parse
from shipline.language.findings import Finding, LanguageError, finding
from shipline.language.keywords.variables import number_text
from shipline.language.patterns import BadPattern, Pattern, looks_slashed, slashed
from shipline.language.values import NOWHERE, List, Map, Place, located

KEYS = ("type", "default", "options", "regex", "description", "rules")
RULE_KEYS = ("if", "options", "default")
MAX_OPTIONS = 50
TYPES = ("string", "number", "boolean", "array")


class Untyped(str):
    """A value given as text, by a command line or a form: it becomes what the input's type asks for."""

    __slots__ = ()


class InputRule(msgspec.Struct, frozen=True):
    """One rule of an input: under which condition which options and default hold."""

    condition: str | None
    options: list[Any] | None
    default: Any
    has_default: bool


class Input(msgspec.Struct, frozen=True):
    """One input as a header defines it."""

    name: str
    place: Place
    type: str = "string"
    default: Any = None
    has_default: bool = False
    options: list[Any] | None = None
    regex: str | None = None
    rules: list[InputRule] | None = None


def definitions(entry: Entry) -> list[Input]:
    """The inputs of a header; what is wrong goes to the entry's findings."""
    if entry.value is None:
        return []
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash")
        return []
    found = []
    for name in entry.value:
        defined = definition(entry.child(name), str(name))
        if defined is not None:
            found.append(defined)
    return found


def definition(entry: Entry, name: str) -> Input | None:
    """One input: nothing (a required text) or a mapping."""
    value = entry.value
    if value is None:
        return Input(name, entry.place)
    before = len(entry.findings)
    if not isinstance(value, Map):
        entry.refuse("config should be a hash")
        return None
    entry.only(*KEYS)
    kind = value.get("type", "string") or "string"
    if kind not in TYPES:
        entry.refuse(
            f"input type unknown value: {kind}",
            value.at("type"),
            did_you_mean(kind, TYPES) or f"one of {', '.join(TYPES)}",
        )
    if value.get("regex") is not None and not is_string(value["regex"]):
        entry.refuse_key("regex", "should be a string")
    description = value.get("description")
    if description is not None and not is_string(description) and not is_integer(description):
        entry.refuse_key("description", "should be an alphanumeric string")
    options = option_list(entry)
    rules = rule_list(entry) if value.get("rules") is not None else None
    if rules is not None:
        entry.together("rules", "options")
        entry.together("rules", "default")
    if len(entry.findings) > before:
        return None
    return Input(
        name, entry.place, kind, value.get("default"), "default" in value, options, value.get("regex"), rules
    )


def option_list(entry: Entry) -> list[Any] | None:
    options = entry.value.get("options")
    if options is None:
        return None
    if not isinstance(options, List) or any(isinstance(item, Map | List) for item in options):
        entry.refuse_key("options", "should be an array")
        return None
    if any(item is None for item in options):
        entry.refuse_key("options", "options array cannot contain null values")
    if len(options) > MAX_OPTIONS:
        entry.refuse_key("options", f"cannot define more than {MAX_OPTIONS} options")
    return list(options)


def rule_list(entry: Entry) -> list[InputRule] | None:
    """`rules:` of an input."""
    rules = entry.child("rules")
    if not isinstance(rules.value, List):
        rules.refuse("config should be an array")
        return None
    found = []
    for rule in rules.items("rule"):
        if not isinstance(rule.value, Map) or not rule.value:
            rule.refuse("config can't be blank" if isinstance(rule.value, Map) else "config should be a hash")
            continue
        rule.only(*RULE_KEYS)
        condition = rule.value.get("if")
        options = option_list(rule)
        if condition is not None and not is_string(condition):
            rule.refuse_key("if", "should be a string")
        elif condition is not None and options is None and "default" not in rule.value:
            rule.refuse("config rule with 'if' must define 'options' or 'default'")
        elif condition is None and options is None:
            hint = "without `if` it needs `options: [...]`, the default among them"
            rule.refuse("config fallback rule must define 'options'", hint=hint)
        default = rule.value.get("default")
        found.append(InputRule(condition, options, default, "default" in rule.value))
    return found


def values(
    inputs: list[Input], given: Map, variables: Mapping[str, str | None], place: Place, findings: list[Finding]
) -> dict[str, Any]:
    """The value of each input; what is wrong goes to findings, at the place of the include that gave it."""
    known = {item.name for item in inputs}
    unknown = [str(name) for name in given if name not in known]
    if unknown:
        at = given.keys_at.get(unknown[0], place)
        findings.append(
            finding(
                f"unknown input arguments: {', '.join(unknown)}",
                at,
                did_you_mean(unknown[0], known),
                check="inputs",
            )
        )
    found: dict[str, Any] = {}
    for item in in_order(inputs, findings):
        applied = conditional(item, found, variables)
        where = given.values_at.get(item.name, item.place if item.has_default else place)
        found[item.name] = Valuation(applied, where, findings).value(given)
    return found


def in_order(inputs: list[Input], findings: list[Finding]) -> list[Input]:
    """The inputs so that each comes after those that its rules read."""
    by_name = {item.name: item for item in inputs}
    wanted = {item.name: [name for rule in item.rules or [] for name in read_by(rule)] for item in inputs}
    for item in inputs:
        for number, rule in enumerate(item.rules or []):
            missing = [name for name in read_by(rule) if name not in by_name]
            if missing:
                text = f"`{item.name}` input: rule[{number}] references undefined inputs: {', '.join(missing)}"
                findings.append(finding(text, item.place, did_you_mean(missing[0], by_name), check="inputs"))
    ordered: list[Input] = []
    waiting = list(inputs)
    done: set[str] = set()
    while waiting:
        ready = [item for item in waiting if all(name in done or name not in by_name for name in wanted[item.name])]
        if not ready:
            circle = ", ".join(item.name for item in waiting)
            text = f"circular dependency detected in the rules of inputs: {circle}"
            findings.append(finding(text, waiting[0].place, check="inputs"))
            return ordered
        ordered += ready
        done |= {item.name for item in ready}
        waiting = [item for item in waiting if item.name not in done]
    return ordered


def read_by(rule: InputRule) -> list[str]:
    """The inputs that a rule reads."""
    try:
        return names(parse(rule.condition), "input") if rule.condition else []
    except ExpressionError:
        return []


def conditional(item: Input, found: dict[str, Any], variables: Mapping[str, str | None]) -> Input:
    """An input with the options and default of the first of its rules that holds. Where any rule has a default, or
    is for all other cases, the input may be left out in every case.
    """
    if not item.rules:
        return item
    may_be_missing = any(rule.has_default or rule.condition is None for rule in item.rules)
    for rule in item.rules:
        try:
            matched = rule.condition is None or holds(rule.condition, variables, found)
        except ExpressionError:
            matched = False
        if matched:
            return msgspec.structs.replace(
                item, options=rule.options, default=rule.default, has_default=may_be_missing
            )
    return msgspec.structs.replace(item, has_default=may_be_missing)


class Valuation:
    """The checks of one input's value."""

    def __init__(self, item: Input, place: Place, findings: list[Finding]) -> None:
        self.item = item
        self.place = place
        self.findings = findings

    def refuse(self, message: str, hint: str | None = None) -> None:
        text = f"`{self.item.name}` input: {message}"
        self.findings.append(finding(text, self.place, hint, check="inputs"))

    def value(self, given: Map) -> Any:
        item = self.item
        provided, default = typed(given.get(item.name), item.type), typed(item.default, item.type)
        if provided is None and not item.has_default:
            self.refuse(
                "required value has not been provided",
                f"give it with `inputs: {{{item.name}: ...}}`, or give it a default",
            )
            return None
        if default is not None:
            self.check(default, "default")
        if provided is None and default is None:
            return [] if item.type == "array" else ""
        if provided is None:
            return default
        self.check(provided, "provided")
        return provided

    def check(self, value: Any, origin: str) -> None:
        item = self.item
        if item.options is not None and item.type == "boolean":
            self.refuse("Options can only be used with string, number and array inputs")
            return
        if item.regex is not None and item.type != "string":
            self.refuse("RegEx validation can only be used with string inputs")
            return
        if not self.check_type(value, origin):
            return
        chosen = value if isinstance(value, list) else [value]
        options = [typed(option, item.type) if item.type == "string" else option for option in item.options or []]
        wrong = [part for part in chosen if item.options is not None and part not in options]
        if wrong:
            hint = did_you_mean(wrong[0], [str(option) for option in options if str(option) != str(wrong[0])])
            text = f"`{as_text(wrong[0])}` cannot be used because it is not in the list of allowed options"
            self.refuse(text, hint)
        if item.regex is not None:
            self.check_regex(item.regex, str(value), origin)

    def check_type(self, value: Any, origin: str) -> bool:
        kind = self.item.type
        fits = {
            "string": is_string(value),
            "number": is_integer(value) or isinstance(value, float),
            "boolean": is_boolean(value),
            "array": isinstance(value, list),
        }[kind]
        if not fits:
            article = "an" if kind == "array" else "a"
            self.refuse(f"{origin} value is not {article} {kind}")
        return fits

    def check_regex(self, regex: str, value: str, origin: str) -> None:
        try:
            pattern = slashed(regex) if looks_slashed(regex) else Pattern(regex)
        except BadPattern as error:
            self.refuse("invalid regular expression", str(error))
            return
        if not pattern.found_in(value):
            self.refuse(f"{origin} value does not match required RegEx pattern", f"it must match {regex}")


def typed(value: Any, kind: str) -> Any:
    """A value as its type asks for it: anything as text, text that is JSON as what it says; else as it is."""
    if value is None:
        return None
    if not isinstance(value, Untyped):
        return inspected(value) if kind == "string" else parsed(value)
    if kind == "string":
        return str(value)
    try:
        documents = read_documents(str(value), "input")
    except LanguageError:
        return str(value)
    read = documents[0].value if documents else str(value)
    if isinstance(read, str) and kind == "array":
        parts = List(NOWHERE)
        for part in value.split(","):
            parts.add(part.strip(), NOWHERE)
        return parts
    return read


def parsed(value: Any) -> Any:
    """What a text says as JSON; the text itself where it is none."""
    if not isinstance(value, str):
        return value
    import json

    def constant(name: str) -> None:
        raise ValueError(name)

    try:
        found = json.loads(value, parse_constant=constant)
    except (ValueError, RecursionError):
        return value
    return value if found is None else located(found)


def inspected(value: Any, quoted: bool = False) -> str:
    """A value as Ruby turns it into text, `quoted` inside of a list or a mapping."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{inspected(key, True)}=>{inspected(item, True)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(inspected(item, True) for item in value) + "]"
    if not quoted:
        return as_text(value)
    if value is None:
        return "nil"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else as_text(value)


def as_text(value: Any) -> str:
    """A value inside a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, int | float):
        return number_text(value)
    return str(value)
