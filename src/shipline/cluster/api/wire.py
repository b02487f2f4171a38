"""How the types look on the wire: fields in order, their protobuf numbers, and whether zero is left out.

`data/wire.json` was printed from the published Go types by `docs/wire-types/main.go`; it says what the OpenAPI
schemas don't. A struct embedded in another has no name in JSON, but is a message of its own in protobuf.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
TIME, MICRO_TIME, FIELDS = META + "Time", META + "MicroTime", META + "FieldsV1"
# Types whose JSON is not an object of fields.
SPECIAL = (QUANTITY, INT_OR_STRING, TIME, MICRO_TIME, FIELDS)


@dataclass(frozen=True, slots=True)
class Type:
    """`shape` is "string", "bytes", "bool", "int", "struct", "list" or "map"; `of` its element or component."""

    shape: str
    component: str = ""
    of: Type | None = None
    wrapped: bool = False  # In protobuf, a message around the list.


@dataclass(frozen=True, slots=True)
class Field:
    """A field. `omitted` when zero isn't written; a `pointer` keeps a zero that was said."""

    name: str
    number: int
    type: Type
    omitted: bool
    pointer: bool
    omits_struct: bool


@cache
def _definitions() -> dict[str, Any]:
    data = files("shipline.cluster.api").joinpath("data/wire.json").read_bytes()
    return msgspec.json.decode(data)  # type: ignore[no-any-return]


def _type(text: str) -> Type:
    match text[0]:
        case "#":
            return Type("struct", component=text[1:])
        case "[":
            return Type("list", of=_type(text[1:]))
        case "{":
            return Type("map", of=_type(text[1:]))
        case "@":
            return Type("list", of=_type(text[1:]), wrapped=True)
    return Type(text)


@cache
def message(component: str) -> tuple[Field, ...]:
    """The fields as protobuf has them: an embedded struct is a field with an empty name."""
    return tuple(
        Field(name, number, _type(text), "o" in flags, "p" in flags, "z" in flags)
        for name, number, text, flags in _definitions()[component]
    )


@cache
def fields(component: str) -> dict[str, Field]:
    """The fields as JSON has them, in the order in which they are written."""
    found: dict[str, Field] = {}
    for field in message(component):
        if field.name:
            found[field.name] = field
        else:
            found.update(fields(field.type.component))
    return found
