"""The expressions of `rules:if`: words, a tree, a verdict. Nothing in them is ever run as program code.

GitLab's own algorithm (shunting-yard over at most 99 tokens), because its verdict on odd expressions follows
from it. A value is text, null, a boolean or a pattern; the verdict is whether the value is "present".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from shipline.language.patterns import BadPattern, Pattern, slashed

MAX_TOKENS = 100
LEXEMES = re.compile(
    r"""(?P<open>\() | (?P<close>\))
    | (?P<input>\$\[\[\s*inputs\.(?P<input_name>[\w-]+)\s*\]\])
    | (?P<variable>\$(?P<name>\w+))
    | (?P<text>"[^"\n]*"|'[^'\n]*')
    | (?P<pattern>/(?:[^/]|\\/)+[^\\]/[ismU]*)
    | (?P<null>null) | (?P<boolean>true|false)
    | (?P<operator>==|=~|!=|!~|&&|\|\|)""",
    re.VERBOSE,
)
PRECEDENCE = {"==": 10, "!=": 10, "=~": 10, "!~": 10, "&&": 11, "||": 12}

Value = str | bool | Pattern | None


class ExpressionError(ValueError):
    """Not an expression; `position` counts characters from 0 where it is known."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class Token(NamedTuple):
    kind: str
    value: str
    position: int


class Operand(NamedTuple):
    """A leaf: `kind` text, variable, input, pattern, null or boolean. `value` is the text, name or pattern."""

    kind: str
    value: str | Pattern | None


class Operation(NamedTuple):
    operator: str
    left: Node
    right: Node


Node = Operand | Operation


def tokens(text: str) -> list[Token]:
    """The words of an expression. Raises ExpressionError at the first thing that is none."""
    found: list[Token] = []
    at, end = 0, len(text)
    for _ in range(MAX_TOKENS):
        while at < end and text[at].isspace():
            at += 1
        if at >= end:
            return found
        match = LEXEMES.match(text, at)
        if match is None:
            raise ExpressionError(unknown_word(text, at), at)
        kind = match.lastgroup or ""
        if kind in ("name", "input_name") or match["variable"] or match["input"]:
            kind = "input" if match["input"] else "variable"
            found.append(Token(kind, match["input_name"] or match["name"], at))
        else:
            found.append(Token(kind, match[0], at))
        at = match.end()
    raise ExpressionError(f"more than {MAX_TOKENS - 1} words", at)


def unknown_word(text: str, at: int) -> str:
    """What is wrong at a place where no word of the language stands."""
    rest = text[at:]
    if rest.startswith("${"):
        return "`${NAME}` is not understood here: write `$NAME`"
    if rest.startswith("/"):
        return "a pattern has at least two characters and stands between slashes"
    if rest.startswith("!"):
        return "there is no `!` alone: write `$NAME == null` or `!=`"
    if rest.startswith("="):
        return "a comparison is `==` or `=~`"
    if rest[0] in "\"'":
        return "the quote is never closed"
    word = rest.split()[0]
    near = {"and": "&&", "or": "||", "not": "== null", "&": "&&", "|": "||"}.get(word.lower())
    if near:
        return f"there is no {word!r} here: write `{near}`"
    return f"unknown word {word!r}: text stands in quotes, a variable begins with $"


def operand(token: Token) -> Operand:
    """The leaf of a value token. A pattern is compiled here, so that a bad one is refused before it is needed."""
    if token.kind == "text":
        return Operand("text", token.value[1:-1])
    if token.kind == "pattern":
        try:
            return Operand("pattern", slashed(token.value.replace("\\/", "/")))
        except BadPattern as error:
            raise ExpressionError(f"invalid regular expression: {error}", token.position) from None
    return Operand(token.kind, token.value)


def postfix(words: list[Token]) -> list[Token]:
    """The tokens in reverse Polish order."""
    output: list[Token] = []
    operators: list[Token] = []
    for token in words:
        if token.kind == "operator":
            rank = PRECEDENCE[token.value]
            while operators and operators[-1].kind == "operator" and rank >= PRECEDENCE[operators[-1].value]:
                output.append(operators.pop())
            operators.append(token)
        elif token.kind == "open":
            operators.append(token)
        elif token.kind == "close":
            while operators and operators[-1].kind != "open":
                output.append(operators.pop())
            if not operators:
                raise ExpressionError("a parenthesis is closed that was never opened", token.position)
            operators.pop()
        else:
            output.append(token)
    return output + operators[::-1]


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """The tree of an expression. Raises ExpressionError."""
    nodes: list[Node] = []
    for token in postfix(tokens(text)):
        if token.kind == "open":
            raise ExpressionError("a parenthesis is never closed", token.position)
        if token.kind != "operator":
            nodes.append(operand(token))
            continue
        if len(nodes) < 2:
            raise ExpressionError(f"`{token.value}` needs a value on each side", token.position)
        right, left = nodes.pop(), nodes.pop()
        nodes.append(Operation(token.value, left, right))
    if len(nodes) > 1:
        raise ExpressionError("two values with no operator between them", None)
    if not nodes:
        raise ExpressionError("nothing to compare", 0)
    return nodes[0]


def evaluate(node: Node, variables: Mapping[str, str | None], inputs: Mapping[str, object] | None = None) -> Value:
    """The value of a tree: text, null, true, false or a pattern. A variable that is missing is null."""
    if isinstance(node, Operand):
        return leaf(node, variables, inputs)
    left = evaluate(node.left, variables, inputs)
    if node.operator == "&&":
        return left if left is None or left is False else evaluate(node.right, variables, inputs)
    if node.operator == "||":
        return evaluate(node.right, variables, inputs) if left is None or left is False else left
    right = evaluate(node.right, variables, inputs)
    if node.operator == "==":
        return same(left, right)
    if node.operator == "!=":
        return not same(left, right)
    found = matches(left, right)
    return found if node.operator == "=~" else not found


def leaf(node: Operand, variables: Mapping[str, str | None], inputs: Mapping[str, object] | None) -> Value:
    if node.kind == "variable":
        return variables.get(str(node.value))
    if node.kind == "input":
        value = (inputs or {}).get(str(node.value))
        return value if value is None or isinstance(value, bool) else str(value)
    if node.kind == "null":
        return None
    if node.kind == "boolean":
        return node.value == "true"
    return node.value


def same(left: Value, right: Value) -> bool:
    return type(left) is type(right) and left == right


def matches(text: Value, pattern: Value) -> bool:
    """`=~`. A right side that is no pattern is searched for the left side (GitLab's documented quirk)."""
    if pattern is None or isinstance(pattern, bool):
        return False
    subject = "" if text is None else str(text)
    if isinstance(pattern, Pattern):
        return pattern.found_in(subject)
    try:
        return slashed(pattern.replace("\\/", "/")).found_in(subject)
    except BadPattern:
        return subject in pattern


def truthful(value: Value) -> bool:
    """Whether a value counts as true: null, false and blank text do not."""
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and value is not False


def holds(text: str, variables: Mapping[str, str | None], inputs: Mapping[str, object] | None = None) -> bool:
    """The verdict of an expression. Raises ExpressionError when it is none."""
    return truthful(evaluate(parse(text), variables, inputs))


def names(node: Node, kind: str = "variable") -> list[str]:
    """The variables (or inputs) that an expression reads, in order."""
    if isinstance(node, Operand):
        return [str(node.value)] if node.kind == kind else []
    return names(node.left, kind) + names(node.right, kind)
