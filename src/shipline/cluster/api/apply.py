"""Server-side apply: a client's intent merged into the live object, field by field, with owners respected."""

from __future__ import annotations

import json
from typing import Any

from shipline.cluster.api import fieldsets, managedfields
from shipline.cluster.api import schema as schemas
from shipline.cluster.api.fieldsets import Path, Set
from shipline.cluster.api.managedfields import APPLY, Entry
from shipline.cluster.api.names import timestamp

Json = dict[str, Any]

KUBECTL = "kubectl"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def applied(
    schema: Json, live: Json, config: Json, manager: str, api_version: str, subresource: str, force: bool
) -> Json:
    """`live` after applying `config`, with its managedFields brought up to date; ApiError 409 for conflicts.

    Both are decoded objects; `live` is the caller's own.
    """
    managedfields.check_applied(config)
    entries = managedfields.read(live)
    intent = fieldsets.visible(config)
    own = Entry(manager, APPLY, api_version, subresource, fieldsets.of(schema, config))
    previous = next((entry for entry in entries if entry.identity == own.identity), None)
    others = [entry for entry in entries if entry is not previous]
    merged: Json = _merge(schema, fieldsets.visible(live), intent)
    if previous is not None:
        owned_elsewhere = frozenset(path for entry in others for path in entry.fields)
        dropped = previous.fields - own.fields - owned_elsewhere
        merged = _prune(schema, merged, (), dropped, owned_elsewhere | own.fields)
    result = {**live, **merged, "metadata": {**_server_part(live), **merged.get("metadata", {})}}
    for gone in [key for key in live if key not in merged and key not in ("apiVersion", "kind", "metadata")]:
        result.pop(gone)
    changed, _ = fieldsets.compare(schema, live, result)
    found = managedfields.conflicts(others, own, changed)
    if found and not force:
        allowed = _last_applied(schema, live) if manager == KUBECTL else frozenset()
        if disputed := [(entry, path) for entry, path in found if path not in allowed]:
            raise managedfields.refuse(disputed)
    lost = frozenset(path for _, path in found)
    others = [_less(entry, lost) for entry in others]
    unchanged = previous is not None and previous.fields == own.fields and not changed
    time = previous.time if previous is not None and unchanged else timestamp()
    managedfields.write(result, [*others, Entry(*own.identity, own.fields, time)])
    return result


def _last_applied(schema: Json, live: Json) -> Set:
    """What kubectl's apply of before has written and nobody changed since: kubectl may take it over."""
    text = live["metadata"].get("annotations", {}).get(LAST_APPLIED, "")
    try:
        last = json.loads(text)
        changed, removed = fieldsets.compare(schema, last, live)
        return fieldsets.of(schema, last) - changed - removed
    except (ValueError, TypeError, KeyError, AttributeError):  # it is anybody's to write
        return frozenset()


def _less(entry: Entry, lost: Set) -> Entry:
    return Entry(*entry.identity, entry.fields - lost, entry.time)


def _server_part(live: Json) -> Json:
    visible = fieldsets.visible(live)["metadata"]
    return {key: value for key, value in live["metadata"].items() if key not in visible}


def _merge(schema: Json, live: Any, config: Any) -> Any:
    """The config laid over the live value; keyed lists by key, sets as unions, atomic values whole."""
    if not isinstance(config, dict | list) or fieldsets.is_atomic(schema, config):
        return config
    if isinstance(config, dict):
        result = dict(live) if isinstance(live, dict) else {}
        for name, value in config.items():
            result[name] = _merge(schemas.field(schema, name) or {}, result.get(name), value)
        return result
    element = schemas.element(schema)
    present = {fieldsets.item_step(schema, item): item for item in live} if isinstance(live, list) else {}
    for item in config:
        step = fieldsets.item_step(schema, item)
        present[step] = _merge(element, present.get(step), item)
    return list(present.values())


def _prune(schema: Json, value: Any, path: Path, dropped: Set, kept: Set) -> Any:
    """The value without the dropped fields; a container goes when nothing in it is anybody's."""
    if isinstance(value, dict) and not fieldsets.is_atomic(schema, value):
        result = {}
        for name, inner in value.items():
            step = (*path, f"f:{name}")
            pruned = _prune(schemas.field(schema, name) or {}, inner, step, dropped, kept)
            if not _gone(step, pruned, inner, dropped, kept):
                result[name] = pruned
        return result
    if isinstance(value, list) and not fieldsets.is_atomic(schema, value):
        element = schemas.element(schema)
        items = []
        for item in value:
            step = (*path, fieldsets.item_step(schema, item))
            pruned = _prune(element, item, step, dropped, kept)
            if not _gone(step, pruned, item, dropped, kept):
                items.append(pruned)
        return items
    return value


def _gone(step: Path, pruned: Any, before: Any, dropped: Set, kept: Set) -> bool:
    if step in kept or any(path[: len(step)] == step for path in kept):
        return False
    if step in dropped:
        return True
    return pruned != before and pruned in ({}, [])
