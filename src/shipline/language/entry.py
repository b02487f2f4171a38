"""A value under examination: where it stands, what it is called, and a place for what is wrong with it.

The functions of `keywords` take an Entry and give the value in its normal form; what they do not like they
report and go on, so that one look at a file finds all that is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar

from shipline.language.findings import Finding, finding
from shipline.language.remedies import belongs, form
from shipline.language.values import List, Map, Place

T = TypeVar("T")


class Entry:
    """One value of a configuration, with its path (`jobs:build:image`) and its place."""

    __slots__ = ("findings", "path", "place", "value")

    def __init__(self, value: Any, place: Place, path: str, findings: list[Finding]) -> None:
        self.value = value
        self.place = place
        self.path = path
        self.findings = findings

    def child(self, key: str, name: str | None = None) -> Entry:
        """The entry of one of a mapping's keys; its value is None where the key is missing."""
        value: Map = self.value
        return Entry(value.get(key), value.at(key), f"{self.path}:{name or key}", self.findings)

    def items(self, name: str | None = None) -> Iterator[Entry]:
        """The entries of a list, all under one name."""
        path = f"{self.path}:{name}" if name else self.path
        for value, place in self.value.entries():
            yield Entry(value, place, path, self.findings)

    def flat_items(self, name: str | None = None) -> Iterator[Entry]:
        """The entries of a list, with those of lists inside it, as references and anchors leave them."""
        for item in self.items(name):
            if isinstance(item.value, List):
                yield from Entry(item.value, item.place, item.path, self.findings).flat_items()
            else:
                yield item

    def is_map(self) -> bool:
        return isinstance(self.value, Map)

    def refuse(
        self, message: str, place: Place | None = None, hint: str | None = None, check: str = "config"
    ) -> None:
        """Reports an error about the value as a whole (`jobs:a:image config should be ...`)."""
        if hint is None and is_about_form(message):
            hint = form(self.path) or remedy(self.path.rpartition(":")[2], self.value, is_string)
        self.findings.append(finding(f"{self.path} {message}", place or self.place, hint, check=check))

    def refuse_key(
        self, key: str, message: str, hint: str | None = None, check: str = "config", part: str | None = None
    ) -> None:
        """Reports an error about one key of a mapping (`jobs:a:artifacts paths should be ...`)."""
        place = self.value.at(key) if self.is_map() else self.place
        if hint is None and is_about_form(message):
            hint = form(key)
        text = f"{self.path} {key.replace('_', ' ')} {message}"
        self.findings.append(finding(text, place, hint, check=check, part=part))

    def warn(self, message: str, place: Place | None = None, check: str = "config") -> None:
        """Reports a warning."""
        self.findings.append(finding(f"{self.path} {message}", place or self.place, None, "warning", check))

    def mapping(self, *allowed: str) -> bool:
        """Whether the value is a mapping; if so, keys other than the allowed ones are reported."""
        if not isinstance(self.value, Map):
            self.refuse("config should be a hash")
            return False
        self.only(*allowed)
        return True

    def only(self, *allowed: str) -> None:
        """Reports keys other than the allowed ones, with the likeliest meant."""
        self.only_of(allowed)

    def only_of(self, allowed: Collection[str]) -> None:
        for key in self.value:
            if key not in allowed:
                hint = belongs(key, allowed) or did_you_mean(key, allowed)
                self.refuse(f"config contains unknown keys: {key}", self.value.key_at(key), hint)

    def together(self, *keys: str) -> bool:
        """Reports keys of which only one may be there. True when there is at most one."""
        present = [key for key in keys if key in self.value]
        if len(present) > 1:
            names = ", ".join(present)
            self.refuse(f"config these keys cannot be used together: {names}", self.value.key_at(present[1]))
        return len(present) < 2


def is_about_form(message: str) -> bool:
    """Whether a complaint is that a value is a list, a mapping or text where it should be another of them."""
    return "should be a" in message or "has to be" in message


def did_you_mean(word: Any, known: Collection[str]) -> str | None:
    """A hint that names the nearest known word."""
    from difflib import get_close_matches  # only mistakes pay for it

    words = {str(item).lower(): str(item) for item in sorted(known, key=str)}
    near = get_close_matches(str(word).lower(), words, 1, 0.6)
    return f"did you mean `{words[near[0]]}`?" if near else None


def is_string(value: Any) -> bool:
    return isinstance(value, str)


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_boolean(value: Any) -> bool:
    return isinstance(value, bool)


def is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def attribute(entry: Entry, key: str, good: Callable[[Any], bool], message: str) -> Any:
    """A key that may be missing or null, and otherwise must be good; None when it is not there."""
    value = entry.value.get(key)
    if value is None:
        return None
    if not good(value):
        entry.refuse_key(key, message, remedy(key, value, good))
        return None
    return value


def remedy(key: str, value: Any, good: Callable[[Any], bool]) -> str | None:
    """How a value of the wrong type is likely meant."""
    if isinstance(value, str | int | float) and good(["text"]):
        return f"{key}: [{value}]"
    if isinstance(value, bool | int | float) and good("text"):
        return f'in quotes it is text: {key}: "{str(value).lower()}"'
    if isinstance(value, str) and value.lower() in ("true", "false", "yes", "no", "on", "off") and good(True):
        return f"without quotes: {key}: {value.lower()}"
    return None


def text(entry: Entry, key: str) -> str | None:
    """A key whose value is text."""
    found: str | None = attribute(entry, key, is_string, "should be a string")
    return found


def boolean(entry: Entry, key: str) -> bool | None:
    """A key whose value is true or false."""
    found: bool | None = attribute(entry, key, is_boolean, "should be a boolean value")
    return found


def strings(entry: Entry, key: str) -> list[str] | None:
    """A key whose value is a list of texts."""
    found = attribute(entry, key, is_strings, "should be an array of strings")
    return None if found is None else list(found)


def one_of(entry: Entry, key: str, words: Collection[str], message: str | None = None) -> str | None:
    """A key whose value is one of some words."""
    found = text(entry, key)
    if found is not None and found not in words:
        entry.refuse_key(key, message or f"should be one of: {', '.join(words)}", did_you_mean(found, words))
    return found


def required(entry: Entry, key: str) -> bool:
    """Whether a key is there and not blank; reported if not."""
    value = entry.value.get(key)
    if value is None or value == "" or (isinstance(value, str) and not value.strip()) or value == [] or value == {}:
        entry.refuse_key(key, "can't be blank")
        return False
    return True
