"""The types of the API: fields, defaults, and how their lists merge, from the OpenAPI schemas in data/.

Read once, at first use. A schema here is the plain OpenAPI object; `field` and `element` follow references.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

Json = dict[str, Any]

_PREFIX = "#/components/schemas/"


@cache
def definitions() -> dict[str, Json]:
    """All schemas by their component name."""
    data = files("shipline.cluster.api").joinpath("data/schemas.json").read_bytes()
    return msgspec.json.decode(data)  # type: ignore[no-any-return]


@cache
def _kinds() -> dict[tuple[str, str], str]:
    kinds: dict[tuple[str, str], str] = {}
    for name, schema in definitions().items():
        for gvk in schema.get("x-kubernetes-group-version-kind", ()):
            version = f"{gvk['group']}/{gvk['version']}" if gvk["group"] else gvk["version"]
            kinds.setdefault((version, gvk["kind"]), name)
    return kinds


def component(api_version: str, kind: str) -> str | None:
    """The component name of a kind."""
    return _kinds().get((api_version, kind))


def of_kind(api_version: str, kind: str) -> Json:
    """The schema of a kind; KeyError when it isn't served."""
    return definitions()[_kinds()[api_version, kind]]


def resolve(schema: Json) -> Json:
    """Follow a reference. What stands beside it (default, merge keys) is laid over the referred schema."""
    reference = schema.get("$ref")
    if reference is None:
        parts = schema.get("allOf")
        if parts is None or "$ref" not in parts[0]:
            return schema
        reference = parts[0]["$ref"]
    referred = definitions()[reference.removeprefix(_PREFIX)]
    if len(schema) == 1:
        return referred
    return {**referred, **{key: value for key, value in schema.items() if key not in ("$ref", "allOf")}}


def field(schema: Json, name: str) -> Json | None:
    """The schema of an object's field or map's value; None when there is no such field."""
    properties = schema.get("properties")
    if properties is not None:
        found = properties.get(name)
        return None if found is None else resolve(found)
    additional = schema.get("additionalProperties")
    return resolve(additional) if isinstance(additional, dict) else None


def element(schema: Json) -> Json:
    """The schema of an array's items."""
    return resolve(schema.get("items") or {})
