"""Text that is no YAML: libyaml's complaint at the place of the mistake, and what to do about it.

libyaml says where its grammar broke, which is often a line or a character after what a person did wrong.
"""

from __future__ import annotations

import re

import yaml

from shipline.language.findings import LanguageError, refuse
from shipline.language.values import Place

CLOSED_EARLY = (
    "the value ends where its quote or bracket closes: put the whole line in single quotes; "
    "one inside them is written twice"
)
ADVICE = {
    "mapping values are not allowed": "a colon and a space end a name: put a value that has them in quotes",
    "could not find expected ':'": "a line above lacks its colon, or a quote its end",
    "did not find expected key": "check how this line and the one above are indented, and that quotes are closed",
    "did not find expected '-' indicator": "each item of a list begins with `- ` under the one before; "
    "the text of a `|` is indented deeper; a quote inside quotes is written twice",
    "block sequence entries are not allowed": "a list begins on a line of its own",
    "found unexpected end of stream": "a quote or a bracket is never closed",
    "did not find expected node content": "a comma too many, or a value with brackets in it that lacks its quotes",
    "did not find expected ',' or": "a bracket is never closed, or a value with brackets in it lacks its quotes",
    "found undefined tag handle": "put a value that begins with an exclamation mark in quotes",
    "unknown escape character": "between double quotes a backslash has a meaning of its own: use single quotes",
    "expected hexdecimal number": "between double quotes a backslash has a meaning of its own: use single quotes",
    "expected comment or line break": "the text begins on the line below the `|` or `>`",
    "expected <document start>": "`...` ends the document: remove it",
}
CONFLICT = re.compile(r"<<<<<<<( |\r?$)|>>>>>>> |=======\r?$")
KEY = re.compile(r"\s*(- )?[\w.-]+:(\s|$)")
NO_SPACE = re.compile(r"\s*(- )?([\w.-]+):(?!//)[^\s:]")
BLOCK_BEGIN = re.compile(r".*[:-]\s+[|>][-+\d]*\s*$")
TAG_APART = re.compile(r"\s*(?:- )?(?:image|name):\s+([\w./-]+):\s+([\w.-]+)\s*$")
BARE_NAME = re.compile(r"\s*([\w.-]+)\s*$")
QUOTED_START = re.compile(r"""\s*(?:- )*(?:[\w.-]+:\s+)?(?P<quote>["']).*(?P=quote)\s*$""")
BRACKET_START = re.compile(r"\s*(?:- )*(?:[\w.-]+:\s+)?\[.*\]\s*$")


def unreadable(error: yaml.MarkedYAMLError, lines: list[str], file: str) -> LanguageError:
    """libyaml's complaint at its place. A quote or bracket that is never closed is shown where it begins."""
    doing: str = error.context or ""
    told = f"{error.problem or 'invalid YAML'} {doing}".rstrip()
    for number, line in enumerate(lines, 1):
        if CONFLICT.match(line):
            hint = "a merge conflict stands here: keep one side, and remove the lines <<<<<<<, ======= and >>>>>>>"
            return refuse(told, Place(file, number, 1), hint, check="yaml")
    opened, mark = error.context_mark, error.problem_mark or error.context_mark
    if mark is None:
        return refuse(told, Place(file, 0, 0), check="yaml")
    in_brackets = "while parsing a flow" in doing
    if opened and shown_at_begin(told, mark, lines):
        mark = opened
    todo = advice(told, lines, mark.line, mark.column)
    if opened and in_brackets and opened.line != mark.line:
        todo = f"the bracket that opens in line {opened.line + 1} is never closed, or a value in it needs quotes"
    return refuse(told, Place(file, mark.line + 1, mark.column + 1), todo, check="yaml")


def is_block_text(lines: list[str], number: int) -> bool:
    """Whether a line may be meant for the text of a `|` above it, though it is not indented so."""
    if number >= len(lines):  # libyaml ends lines at more than \n
        return False
    for line in reversed(lines[:number]):
        if BLOCK_BEGIN.match(line):
            return len(line) - len(line.lstrip()) >= len(lines[number]) - len(lines[number].lstrip())
        if line.strip() and KEY.match(line):
            return False
    return False


def shown_at_begin(told: str, mark: yaml.Mark, lines: list[str]) -> bool:
    """Whether a complaint is shown where its quote, alias, anchor or bracket begins, and not where it broke off."""
    if "unexpected end of stream" in told or "while scanning an a" in told:
        return True
    rest = "".join(lines[mark.line : mark.line + 1])[mark.column :] + "".join(lines[mark.line + 1 :])
    return "while parsing a flow" in told and not rest.strip()


def advice(problem: str, lines: list[str], number: int, column: int) -> str | None:
    """What to do about one of libyaml's complaints, from the line that it is about and the one above."""
    line = lines[number] if number < len(lines) else ""
    above = next((text for text in reversed(lines[:number]) if text.strip()), "")
    char, before = line[column : column + 1], line[:column]
    indent, indent_above = (len(text) - len(text.lstrip()) for text in (line, above))
    if char == "\t" or "tab character" in problem or "\t" in line[:indent]:
        return "a tab stands here: YAML is indented with spaces"
    broken_off = any(words in problem for words in ("'-' indicator", "expected key", "alphabetic or numeric"))
    if broken_off and (QUOTED_START.match(before) or BRACKET_START.match(before)):
        return CLOSED_EARLY
    if "cannot start any token" in problem or "alphabetic or numeric" in problem:
        return f"put a value that begins with {char} in quotes"
    if "'-' indicator" in problem and not before.strip() and KEY.match(line):
        return (
            "this line is no item of the list above: begin it with `- `, or indent it less, "
            "or more if it is part of the text of a `|`"
        )
    if "expected key" in problem and not before.strip() and indent < indent_above:
        return f"no line above begins in column {indent + 1}: indent it as the line that it belongs beside"
    if "could not find expected ':'" in problem and is_block_text(lines, number):
        return "the text of a `|` is indented deeper than the name that it belongs to"
    if "mapping values are not allowed" in problem and (tagged := TAG_APART.match(line)):
        return f"an image's tag follows its colon without a space: {tagged[1]}:{tagged[2]}"
    if "mapping values are not allowed" in problem:
        if missing := NO_SPACE.match(above):
            return f"a space is missing in the line above, after `{missing[2]}:`"
        if indent > indent_above and above.rstrip()[-1:] not in (":", "-", "|", ">"):
            name = BARE_NAME.match(above)
            colon = f", or `{name[1]}` lacks its colon" if name else ""
            return f"this line is indented more than the one above, which is complete already{colon}"
    return next((hint for words, hint in ADVICE.items() if words in problem), None)
