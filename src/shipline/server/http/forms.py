"""The compact notation in which the routes' tables say what a call takes and what it answers with.

Parameters: `key! value variable_type:env_var|file protected:bool`: a name, `!` where it must be there, and after a
colon its type, `text` unless said. Fields of answers: the same with `~` for one that may be null and `*` for one
that may be missing. Types: text, int, num, bool, ts (a moment), date, list, hash, file, any; `a|b|c`, one of these
words; a name with a capital letter, a shape of that name; `[...]`, a list of these.

From this one text come the check of a call before its endpoint runs, and the OpenAPI document.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec

from shipline.server.http.answers import wrong_parameter
from shipline.server.http.parameters import LARGEST, Parameters

Schema = dict[str, Any]
PLAIN: dict[str, Schema] = {
    "text": {"type": "string"},
    "int": {"type": "integer", "maximum": LARGEST, "minimum": -LARGEST},
    "num": {"type": "number"},
    "bool": {"type": "boolean"},
    "ts": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "hash": {"type": "object"},
    "list": {"type": "array", "items": {}},
    "file": {"type": "string", "format": "binary"},
    "any": {},
}
_FIELD = re.compile(r"(?P<name>[\w-]+)(?P<marks>[!~*]*)(?::(?P<type>\S+))?\Z")


class Field(msgspec.Struct, frozen=True):
    """A parameter, or a field of an answer."""

    name: str
    type: str = "text"
    required: bool = False
    nullable: bool = False
    optional: bool = False

    @property
    def words(self) -> list[str]:
        """The values that it may have, where these are listed."""
        return words_of(self.type)


def words_of(kind: str) -> list[str]:
    """The words of a type that is one of some words; none for any other type."""
    return [] if kind in PLAIN or kind.startswith("[") or kind[0].isupper() else kind.split("|")


@cache
def fields(text: str) -> tuple[Field, ...]:
    """What a text in the notation says."""
    found = []
    for word in text.split():
        match = _FIELD.match(word)
        assert match is not None, f"not in the notation: {word}"
        marks = match["marks"]
        found.append(Field(match["name"], match["type"] or "text", "!" in marks, "~" in marks, "*" in marks))
    return tuple(found)


def check(values: Parameters, takes: str) -> None:
    """Ends the call with 400, as GitLab words it, when its parameters are not as they must be."""
    wanted = fields(takes)
    values.required(*(field.name for field in wanted if field.required))
    for field in wanted:
        if not values.given(field.name):
            continue
        match field.type:
            case "text":
                values.text(field.name)
            case "int":
                values.integer(field.name)
            case "num":
                _number(values, field.name)
            case "bool":
                values.boolean(field.name)
            case "ts" | "date":
                values.moment(field.name)
            case "hash":
                values.mapping(field.name)
            case "list":
                values.listed(field.name)
            case _ if field.words:
                values.choice(field.name, field.words)
            case _ if field.type.startswith("["):
                values.listed(field.name)


def schema(kind: str) -> Schema:
    """A type as JSON Schema."""
    if kind.startswith("["):
        return {"type": "array", "items": schema(kind[1:-1])}
    if words := words_of(kind):
        return {"type": "string", "enum": words}
    if kind[0].isupper():
        return {"$ref": f"#/components/schemas/{kind}"}
    return dict(PLAIN[kind])


def object_schema(text: str) -> Schema:
    """The fields of an answer as JSON Schema."""
    found = fields(text)
    made: Schema = {"type": "object", "properties": {field.name: field_schema(field) for field in found}}
    if required := [field.name for field in found if not field.optional]:
        made["required"] = required
    return made


def field_schema(field: Field) -> Schema:
    made = schema(field.type)
    if not field.nullable:
        return made
    if isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
        return made
    return {"anyOf": [made, {"type": "null"}]}


def _number(values: Parameters, name: str) -> None:
    try:
        float(values.text(name))
    except ValueError:
        raise wrong_parameter(f"{name} is invalid") from None
