"""Sets of an object's fields: who manages what is written with them, and what a change touched.

A field is a path of steps as FieldsV1 writes them: `f:name` into a map, `k:{"name":"x"}` to the item of a keyed
list, `v:"x"` to a member of a set. A set is a frozenset of such paths; lists and maps that are atomic for their
type are single fields.
"""

from __future__ import annotations

import json
from typing import Any

from shipline.cluster.api import schema as schemas

Json = dict[str, Any]
Path = tuple[str, ...]
Set = frozenset[Path]

_MISSING = object()
_SERVER_METADATA = (
    "name",
    "namespace",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
)


def visible(obj: Json) -> Json:
    """An object without what nobody manages: its identity and what the server alone sets."""
    metadata = {key: value for key, value in obj.get("metadata", {}).items() if key not in _SERVER_METADATA}
    rest = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata")}
    return {"metadata": metadata, **rest}


def is_atomic(schema: Json, value: Any) -> bool:
    """Whether a list or map is one field."""
    if isinstance(value, list):
        return schema.get("x-kubernetes-list-type") not in ("set", "map")
    if schema.get("x-kubernetes-map-type") == "atomic":
        return True
    return "properties" not in schema and "additionalProperties" not in schema


def item_step(schema: Json, item: Any) -> str:
    """The step to an item of a set or of a keyed list."""
    if schema["x-kubernetes-list-type"] == "set" or not isinstance(item, dict):
        return "v:" + _compact(item)
    element = schemas.element(schema)
    keys = {}
    for key in sorted(schema["x-kubernetes-list-map-keys"]):
        value = item.get(key)
        if value is None:
            value = (schemas.field(element, key) or {}).get("default")
        if value is not None:
            keys[key] = value
    return "k:" + _compact(keys)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def of(schema: Json, obj: Json) -> Set:
    """Every field that an object sets: what its applier means to manage."""
    found: set[Path] = set()
    _collect(schema, visible(obj), (), found)
    return frozenset(found - {("f:metadata",)})


def _collect(schema: Json, value: Any, path: Path, found: set[Path]) -> None:
    if not isinstance(value, dict | list) or is_atomic(schema, value):
        found.add(path)
    elif isinstance(value, list):
        element = schemas.element(schema)
        for item in value:
            step = (*path, item_step(schema, item))
            found.add(step)
            _collect(element, item, step, found)
    else:
        for name, inner in value.items():
            step = (*path, f"f:{name}")
            known = (schema.get("properties") or {}).get(name) is not None
            if inner is None or inner == {} or not known:
                found.add(step)
            if inner is not None:
                _collect(schemas.field(schema, name) or {}, inner, step, found)
    found.discard(())


def compare(schema: Json, old: Json, new: Json) -> tuple[Set, Set]:
    """(changed or added, removed) fields between two objects."""
    changed: set[Path] = set()
    removed: set[Path] = set()
    _compare(schema, visible(old), visible(new), (), changed, removed)
    return frozenset(changed), frozenset(removed)


def _compare(schema: Json, old: Any, new: Any, path: Path, changed: set[Path], removed: set[Path]) -> None:
    if old is new or (old is not _MISSING and new is not _MISSING and old == new):
        return
    if new is _MISSING:
        _collect_all(schema, old, path, removed)
        return
    if not isinstance(new, dict | list) or is_atomic(schema, new) or (not new and not old):
        changed.add(path)
        return
    if old is _MISSING:
        changed.add(path)
    if isinstance(new, list):
        _compare_lists(schema, old if isinstance(old, list) else [], new, path, changed, removed)
        return
    before = old if isinstance(old, dict) else {}
    for name in [*new, *(name for name in before if name not in new)]:
        inner = schemas.field(schema, name) or {}
        pair = before.get(name, _MISSING), new.get(name, _MISSING)
        _compare(inner, *pair, (*path, f"f:{name}"), changed, removed)


def _compare_lists(
    schema: Json, old: list[Any], new: list[Any], path: Path, changed: set[Path], removed: set[Path]
) -> None:
    element = schemas.element(schema)
    before = {item_step(schema, item): item for item in old}
    after = {item_step(schema, item): item for item in new}
    for step in [*after, *(step for step in before if step not in after)]:
        pair = before.get(step, _MISSING), after.get(step, _MISSING)
        _compare(element, *pair, (*path, step), changed, removed)


def _collect_all(schema: Json, value: Any, path: Path, found: set[Path]) -> None:
    found.add(path)
    if value is not None:
        _collect(schema, value, path, found)


def to_json(fields: Set) -> Json:
    """A set as FieldsV1 has it."""
    root: Json = {}
    parents = {path[:length] for path in fields for length in range(1, len(path))}
    for path in sorted(fields):
        node = root
        for step in path:
            node = node.setdefault(step, {})
        if path in parents:
            node["."] = {}
    return _sorted(root)


def _sorted(node: Json) -> Json:
    return {key: _sorted(node[key]) for key in sorted(node)}


def from_json(fields: Json) -> Set:
    """A set from FieldsV1."""
    found: set[Path] = set()

    def walk(node: Json, path: Path) -> None:
        if path and (not node or "." in node):
            found.add(path)
        for step, inner in node.items():
            if step != ".":
                walk(inner, (*path, step))

    walk(fields, ())
    return frozenset(found)


def words(path: Path) -> str:
    """A path as conflicts print it: `.spec.containers[name="c"].image`."""
    parts = []
    for step in path:
        kind, _, rest = step.partition(":")
        if kind == "f":
            parts.append(f".{rest}")
        elif kind == "k":
            keys = ",".join(f"{key}={_compact(value)}" for key, value in json.loads(rest).items())
            parts.append(f"[{keys}]")
        else:
            parts.append(f"[={rest}]")
    return "".join(parts)
