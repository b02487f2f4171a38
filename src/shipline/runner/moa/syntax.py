"""An expression's text as a tree. Nodes are tuples: a kind, and what belongs to it.

("value", v)  ("name", n)  ("list", items)  ("object", pairs)  ("text", parts)
("attribute", node, name)  ("item", node, node)  ("call", node, arguments)
("unary", operator, node)  ("binary", operator, left, right)  ("and", left, right)  ("or", left, right)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

Node = tuple[Any, ...]

OPENS, CLOSES = "${{", "}}"
DEEPEST = 100  # levels of brackets and operators: beyond them nobody means it
LEVELS = (("||",), ("&&",), ("==", "!=", "<=", ">=", "<", ">"), ("+", "-"), ("*", "/", "%"))
ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "/": "/",
}
RESERVED = re.compile(
    "(array|as|break|case|const|continue|default|else|fallthrough|float|for|func|function|goto|if|import|in|int|let|"
    "loop|map|namespace|number|object|package|range|return|string|struct|switch|type|var|void|while)$"
)
LITERALS = {"null": None, "true": True, "false": False}
_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[^\W\d]\w*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_PUNCTUATION = re.compile(r"&&|\|\||[=!<>]=|[-+*/%<>!.,:()\[\]{}]")


class MoaError(Exception):
    """An expression that cannot be read or worked out; the text says why."""


class Inserted(msgspec.Struct, frozen=True):
    """An expression in a text: as it is written, and its tree."""

    text: str
    node: Node


Part = str | Inserted


def template(text: str) -> list[Part]:
    """A text's parts, in order: what is meant as it stands, and expressions. Raises MoaError."""
    return _Reader(text).parts("")


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def parts(self, end: str) -> list[Part]:
        """Up to `end` (a quote, which is read too), or the end of the text."""
        found: list[Part] = []
        plain: list[str] = []
        while True:
            if self.at >= len(self.text):
                if end:
                    raise MoaError("a text has no closing quote")
                break
            character = self.text[self.at]
            if character == "\\" and (escaped := self._escape(end)) is not None:
                plain.append(escaped)
            elif character == end:
                self.at += 1
                break
            elif self.text.startswith(OPENS, self.at):
                if plain:
                    found.append("".join(plain))
                    plain = []
                found.append(self._inserted())
            else:
                plain.append(character)
                self.at += 1
        return [*found, "".join(plain)] if plain else found

    def _escape(self, end: str) -> str | None:
        """What a backslash and the next character mean; None where that is just a backslash."""
        if self.text.startswith(OPENS, self.at + 1):
            self.at += 1 + len(OPENS)
            return OPENS
        if not end:
            return None
        character = self.text[self.at + 1 : self.at + 2]
        digits = self.text[self.at + 2 : self.at + 6]
        if character == "u" and re.fullmatch("[0-9a-fA-F]{4}", digits):
            self.at += 6
            return chr(int(digits, 16))
        if character not in ESCAPES:
            raise MoaError(f"\\{character} is no escape that a text in double quotes knows")
        self.at += 2
        return ESCAPES[character]

    def _inserted(self) -> Inserted:
        begin = self.at
        self.at += len(OPENS)
        node = self._at(begin, self.expression)
        self._skip()
        if not self.text.startswith(CLOSES, self.at):
            rest = self._rest()
            raise MoaError(f"{self._from(begin)}: {f'unexpected {rest!r}' if rest else 'it is not closed by }}'}")
        self.at += len(CLOSES)
        return Inserted(self.text[begin : self.at], node)

    def _at(self, begin: int, read: Callable[[], Node]) -> Node:
        """What is read, with the expression's own text before what may be wrong with it."""
        try:
            return read()
        except MoaError as error:
            raise MoaError(f"{self._from(begin)}: {error}") from None
        except RecursionError:
            raise MoaError(f"{self._from(begin)}: it is nested too deeply") from None

    def _from(self, begin: int) -> str:
        return self.text[begin : begin + 60].split("\n")[0]

    def _rest(self) -> str:
        return self.text[self.at :].split("\n")[0][:30]

    def expression(self, level: int = 0) -> Node:
        self.depth += 1
        if self.depth > DEEPEST * len(LEVELS):
            raise MoaError("the expression is nested too deeply")
        try:
            if level == len(LEVELS):
                return self._unary()
            left = self.expression(level + 1)
            while (operator := self._peek()) in LEVELS[level]:
                self._take(operator)
                right = self.expression(level + 1)
                kind = {"||": "or", "&&": "and"}.get(operator)
                left = (kind, left, right) if kind else ("binary", operator, left, right)
            return left
        finally:
            self.depth -= 1

    def _unary(self) -> Node:
        operator = self._peek()
        if operator in ("+", "-", "!"):
            self._take(operator)
            self.depth += 1
            if self.depth > DEEPEST * len(LEVELS):
                raise MoaError("the expression is nested too deeply")
            node = self._unary()
            self.depth -= 1
            return ("unary", operator, node)
        node = self._primary()
        while (operator := self._peek()) in (".", "[", "("):
            self._take(operator)
            if operator == ".":
                node = ("attribute", node, self._name())
            elif operator == "[":
                node = ("item", node, self.expression())
                self._expect("]")
            else:
                node = ("call", node, self._items(")"))
        return node

    def _primary(self) -> Node:
        self._skip()
        if self.text.startswith('"', self.at):
            self.at += 1
            return ("text", self.parts('"'))
        if self.text.startswith("'", self.at):
            return ("value", self._raw())
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            text = number[0]
            return ("value", int(text) if text.isdigit() else float(text))
        if name := _NAME.match(self.text, self.at):
            self.at = name.end()
            if name[0] in LITERALS:
                return ("value", LITERALS[name[0]])
            if RESERVED.match(name[0]):
                raise MoaError(f"{name[0]!r} is a reserved word")
            return ("name", name[0])
        bracket = self._peek()
        if bracket in ("(", "[", "{"):
            self._take(bracket)
            if bracket == "[":
                return ("list", self._items("]"))
            if bracket == "{":
                return ("object", self._pairs())
            node = self.expression()
            self._expect(")")
            return node
        rest = self._rest()
        raise MoaError(f"a value is missing before {rest!r}" if rest else "a value is missing at the end")

    def _items(self, end: str) -> list[Node]:
        found: list[Node] = []
        while self._peek() != end:
            found.append(self.expression())
            if self._peek() != ",":
                break
            self._take(",")
        self._expect(end)
        return found

    def _pairs(self) -> list[tuple[Node, Node]]:
        found: list[tuple[Node, Node]] = []
        while self._peek() != "}":
            self._skip()
            name = _NAME.match(self.text, self.at)
            key = self.expression()
            if key[0] == "name" and name:
                key = ("value", key[1])
            elif key[0] not in ("value", "text") and name:
                raise MoaError("a key that is worked out stands in parentheses")
            self._expect(":")
            found.append((key, self.expression()))
            if self._peek() != ",":
                break
            self._take(",")
        self._expect("}")
        return found

    def _raw(self) -> str:
        """A text in single quotes, where only the quote and the backslash are escaped."""
        match = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL).match(self.text, self.at)
        if not match:
            raise MoaError("a text has no closing quote")
        self.at = match.end()
        for escape in re.findall(r"\\(.)", match[1], re.DOTALL):
            if escape not in "\\'":
                raise MoaError(f"\\{escape} is no escape that a text in single quotes knows")
        return re.sub(r"\\(.)", r"\1", match[1])

    def _name(self) -> str:
        self._skip()
        match = _NAME.match(self.text, self.at)
        if not match:
            raise MoaError("a name is missing after '.'")
        self.at = match.end()
        return match[0]

    def _peek(self) -> str:
        self._skip()
        match = _PUNCTUATION.match(self.text, self.at)
        return match[0] if match else ""

    def _take(self, operator: str) -> None:
        self.at += len(operator)

    def _expect(self, operator: str) -> None:
        if self._peek() != operator:
            rest = self._rest()
            raise MoaError(f"{operator!r} is missing before {rest!r}" if rest else f"{operator!r} is missing")
        self._take(operator)

    def _skip(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at
