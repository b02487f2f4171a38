"""Label and field selectors: text in, a test of an object out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]
Test = Callable[[Json], bool]


class SelectorError(ValueError):
    """A selector that cannot be read; the text says why, in Kubernetes' words."""


_OPERATORS = {"=": "in", "==": "in", "!=": "notin", "<": "lt", ">": "gt"}
_TOKEN = re.compile(r"\s*(!=|==|=|!|\(|\)|,|<|>|[^\s=!,()<>]+)")
_KEY = re.compile(r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$")
_VALUE = re.compile(r"^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$")


def labels(text: str | None) -> Test:
    """A test for `a=b,c!=d,e in (f,g),h,!i`; SelectorError when it cannot be read."""
    if not text:
        return lambda _: True
    requirements = _parse_labels(text)

    def test(obj: Json) -> bool:
        present = obj["metadata"].get("labels") or {}
        return all(requirement(present) for requirement in requirements)

    return test


def match_labels(selector: Mapping[str, Any] | None) -> Callable[[Mapping[str, str]], bool]:
    """A test of labels for a LabelSelector object (matchLabels, matchExpressions). None matches nothing,
    an empty one everything, as the API has it."""
    if selector is None:
        return lambda _: False
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    requirements = [
        _requirement(e["key"], e["operator"].lower(), e.get("values") or [])
        for e in selector.get("matchExpressions") or []
    ]
    return lambda present: (
        all(present.get(key) == value for key, value in wanted.items())
        and all(requirement(present) for requirement in requirements)
    )


def _requirement(key: str, operator: str, values: list[str]) -> Callable[[Mapping[str, str]], bool]:
    tests: dict[str, Callable[[Mapping[str, str]], bool]] = {
        "in": lambda present: key in present and present[key] in values,
        "notin": lambda present: key not in present or present[key] not in values,
        "exists": lambda present: key in present,
        "doesnotexist": lambda present: key not in present,
        "gt": lambda present: _number(present.get(key)) > _number(values[0]),
        "lt": lambda present: key in present and _number(present.get(key)) < _number(values[0]),
    }
    if operator not in tests:
        raise SelectorError(f'"{operator}" is not a valid label selector operator')
    return tests[operator]


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return float("-inf")


def _parse_labels(text: str) -> list[Callable[[Mapping[str, str]], bool]]:
    tokens = _Tokens(text)
    requirements = []
    while tokens.next:
        requirements.append(_one(tokens))
        if tokens.next == ",":
            tokens.take()
            if tokens.next in ("", ","):
                raise SelectorError(f"found '{tokens.next}', expected: identifier after ','")
        elif tokens.next:
            raise SelectorError(f"found '{tokens.next}', expected: ',' or 'end of string'")
    return requirements


class _Tokens:
    """The tokens of a selector's text; `next` is the one that `take` gives, empty at the end."""

    def __init__(self, text: str) -> None:
        self._left = _tokens(text)[::-1]

    @property
    def next(self) -> str:
        return self._left[-1] if self._left else ""

    def take(self) -> str:
        return self._left.pop() if self._left else ""


def _one(tokens: _Tokens) -> Callable[[Mapping[str, str]], bool]:
    """One requirement, up to the comma behind it."""
    if tokens.next == "!":
        tokens.take()
        return _requirement(_key(tokens.take()), "doesnotexist", [])
    key, operator = _key(tokens.take()), tokens.next
    if operator in (",", ""):
        return _requirement(key, "exists", [])
    if operator in _OPERATORS:
        tokens.take()
        value = "" if tokens.next in (",", "") else _value(tokens.take(), key)
        return _requirement(key, _OPERATORS[operator], [value])
    if operator in ("in", "notin"):
        tokens.take()
        return _requirement(key, operator, _values(tokens, key))
    raise SelectorError(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")


def _values(tokens: _Tokens, key: str) -> list[str]:
    if tokens.take() != "(":
        raise SelectorError("found '', expected: '('")
    values: list[str] = []
    while (token := tokens.take()) != ")":
        if not token:
            raise SelectorError("found '', expected: ',' or ')'")
        if token != ",":
            values.append(_value(token, key))
        elif tokens.next in (",", ")"):
            values.append("")
    return values or [""]


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        assert match is not None, "every character belongs to some token"
        tokens.append(match.group(1))
        position = match.end()
    return tokens


def _key(token: str) -> str:
    if not token or token in ("=", "==", "!=", "(", ")", ",", "<", ">", "!"):
        raise SelectorError(f"found '{token}', expected: !, identifier, or 'end of string'")
    if not _KEY.match(token) or len(token.rpartition("/")[2]) > 63:
        raise SelectorError(
            f'key: Invalid value: "{token}": name part must consist of alphanumeric characters, '
            "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  "
            "or 'my.name',  or '123-abc', regex used for validation is "
            "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        )
    return token


def _value(token: str, key: str) -> str:
    if not _VALUE.match(token):
        raise SelectorError(
            f'values[0][{key}]: Invalid value: "{token}": a valid label must be an empty string or consist of '
            "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
            "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
            "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        )
    return token


def fields(
    text: str | None,
    allowed: Mapping[str, tuple[str, ...]],
    zero: Mapping[str, str] | None = None,
    refusal: Callable[[str], str] = "{} is not a known field selector".format,
) -> Test:
    """A test for `metadata.name=a,status.phase!=Running`; SelectorError.

    `allowed` maps each selectable field to the paths where its value lies (the first present one counts), `zero`
    maps a field to what its absence reads as, `refusal` words what is said of other fields.
    """
    if not text:
        return lambda _: True
    requirements: list[tuple[tuple[str, ...], str, str, bool]] = []
    for term in filter(None, re.split(r"(?<!\\),", text)):
        match = re.match(r"^([^=!]*)(!=|==|=)(.*)$", term, re.DOTALL)
        if match is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
        field, operator, value = match.groups()
        if field not in allowed:
            raise SelectorError(refusal(field))
        value = re.sub(r"\\([,=\\])", r"\1", value)
        requirements.append((allowed[field], (zero or {}).get(field, ""), value, operator != "!="))

    def test(obj: Json) -> bool:
        return all((_field(obj, paths, absent) == value) is equal for paths, absent, value, equal in requirements)

    return test


def _field(obj: Json, paths: tuple[str, ...], absent: str) -> str:
    for path in paths:
        value: Any = obj
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            return str(value).lower() if isinstance(value, bool) else str(value)
    return absent
