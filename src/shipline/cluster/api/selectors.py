"""Label and field selectors: text in, a test of an object out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]
Test = Callable[[Json], bool]


class SelectorError(ValueError):
    """A selector that cannot be read; the text says why, in Kubernetes' words."""


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
    tokens = _tokens(text)
    position = 0
    requirements = []

    def peek() -> str:
        return tokens[position] if position < len(tokens) else ""

    def take() -> str:
        nonlocal position
        token = peek()
        position += 1
        return token

    while position < len(tokens):
        if peek() == "!":
            take()
            requirements.append(_requirement(_key(take()), "doesnotexist", []))
        else:
            key = _key(take())
            operator = peek()
            if operator in ("=", "==", "!=", "<", ">"):
                take()
                value = "" if peek() in (",", "") else _value(take(), key)
                name = {"=": "in", "==": "in", "!=": "notin", "<": "lt", ">": "gt"}[operator]
                requirements.append(_requirement(key, name, [value]))
            elif operator in ("in", "notin"):
                take()
                requirements.append(_requirement(key, operator, _values(take, peek, key)))
            elif operator in (",", ""):
                requirements.append(_requirement(key, "exists", []))
            else:
                raise _unparsable(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
        if peek() == ",":
            take()
            if not peek():
                raise _unparsable("found '', expected: identifier after ','")
            if peek() == ",":
                raise _unparsable("found ',', expected: identifier after ','")
        elif peek():
            raise _unparsable(f"found '{peek()}', expected: ',' or 'end of string'")
    return requirements


def _values(take: Callable[[], str], peek: Callable[[], str], key: str) -> list[str]:
    if take() != "(":
        raise _unparsable("found '', expected: '('")
    values: list[str] = []
    while True:
        token = take()
        if token == ")":
            return values or [""]
        if not token:
            raise _unparsable("found '', expected: ',' or ')'")
        if token != ",":
            values.append(_value(token, key))
        elif peek() in (",", ")"):
            values.append("")


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
        raise _unparsable(f"found '{token}', expected: !, identifier, or 'end of string'")
    if not _KEY.match(token) or len(token.rpartition("/")[2]) > 63:
        raise _unparsable(
            f'key: Invalid value: "{token}": name part must consist of alphanumeric characters, '
            "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  "
            "or 'my.name',  or '123-abc', regex used for validation is "
            "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        )
    return token


def _value(token: str, key: str) -> str:
    if not _VALUE.match(token):
        raise _unparsable(
            f'values[0][{key}]: Invalid value: "{token}": a valid label must be an empty string or consist of '
            "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
            "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
            "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        )
    return token


def _unparsable(why: str) -> SelectorError:
    return SelectorError(why)


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
