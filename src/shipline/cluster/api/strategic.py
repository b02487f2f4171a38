"""Strategic merge patch: a merge that knows which lists are sets and which are keyed.

Directives: `$patch: replace|delete|merge`, `$deleteFromPrimitiveList/<field>`, `$setElementOrder/<field>`,
`$retainKeys`.
"""

from __future__ import annotations

from typing import Any

from shipline.cluster.api import schema as schemas
from shipline.cluster.api.errors import ApiError, bad_request
from shipline.cluster.api.resources import Resource

Json = dict[str, Any]

_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def merge(resource: Resource, obj: Json, patch: Json) -> Json:
    """`obj` with the patch applied."""
    return _object(schemas.of_kind(resource.api_version, resource.kind), obj, patch)


def _object(schema: Json, original: Any, patch: Json) -> Json:
    directive = patch.get("$patch")
    rest = {key: value for key, value in patch.items() if key != "$patch"}
    if directive == "replace":
        return rest
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"Unknown patch type found: {directive}")
    result = dict(original) if isinstance(original, dict) else {}
    retained = rest.pop("$retainKeys", None)
    if retained is not None:
        result = {key: value for key, value in result.items() if key in retained}
    for key in [key for key in rest if key.startswith(_DELETE_FROM)]:
        name = key[len(_DELETE_FROM) :]
        removed = rest.pop(key)
        if name in result:
            result[name] = [item for item in result[name] if item not in removed]
    orders = {key[len(_ORDER) :]: rest.pop(key) for key in [key for key in rest if key.startswith(_ORDER)]}
    for key, value in rest.items():
        if value is None:
            result.pop(key, None)
            continue
        result[key] = _value(schemas.field(schema, key) or {}, result.get(key), value, key)
    for name, order in orders.items():
        if isinstance(result.get(name), list):
            merge_key = (schemas.field(schema, name) or {}).get("x-kubernetes-patch-merge-key")
            result[name] = _ordered(result[name], order, merge_key)
    return result


def _value(schema: Json, original: Any, patch: Any, name: str) -> Any:
    if isinstance(patch, dict):
        if schema.get("x-kubernetes-map-type") == "atomic" and "replace" in schema.get(
            "x-kubernetes-patch-strategy", ""
        ):
            return patch
        return _object(schema, original, patch)
    if isinstance(patch, list) and "merge" in schema.get("x-kubernetes-patch-strategy", "").split(","):
        return _list(schema, original if isinstance(original, list) else [], patch, name)
    if isinstance(patch, list):
        return [item for item in patch if not (isinstance(item, dict) and "$patch" in item)]
    return patch


def _list(schema: Json, original: list[Any], patch: list[Any], name: str) -> list[Any]:
    key = schema.get("x-kubernetes-patch-merge-key")
    if key is None:
        return original + [item for item in patch if item not in original]
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    items = schemas.element(schema)
    result = list(original)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise ApiError(422, "Invalid", f"{name}: {item} does not contain declared merge key: {key}", {})
        position = next((i for i, old in enumerate(result) if old.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            result = [old for old in result if old.get(key) != item[key]]
        elif position is None:
            result.append(_object(items, {}, item))
        else:
            result[position] = _object(items, result[position], item)
    return result


def _ordered(items: list[Any], order: list[Any], key: str | None) -> list[Any]:
    """Those named in `order` in its order; others keep their place relative to what preceded them."""

    def identity(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    wanted = [identity(item) for item in order]
    named = sorted(
        (item for item in items if identity(item) in wanted), key=lambda item: wanted.index(identity(item))
    )
    result: list[Any] = []
    remaining = list(named)
    for item in items:
        if identity(item) in wanted:
            while remaining:
                head = remaining.pop(0)
                result.append(head)
                if head is item:
                    break
        else:
            result.append(item)
    return result + remaining
