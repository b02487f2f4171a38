"""Who manages which fields: kept in each object's managedFields, entry by entry.

An update takes over what it changes. An apply manages exactly what it says; what it changes against another
manager is a conflict, what it no longer says goes, unless another still manages it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from shipline.cluster.api import fieldsets
from shipline.cluster.api.errors import ApiError, bad_request
from shipline.cluster.api.fieldsets import Path, Set
from shipline.cluster.api.names import timestamp

Json = dict[str, Any]

APPLY, UPDATE = "Apply", "Update"


@dataclass(frozen=True, slots=True)
class Entry:
    """One manager's fields."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    fields: Set
    time: str = ""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes two entries the same manager's."""
        return self.manager, self.operation, self.api_version, self.subresource

    def json(self) -> Json:
        """The entry as it stands in managedFields."""
        entry: Json = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fieldsets.to_json(self.fields),
        }
        if self.subresource:
            entry["subresource"] = self.subresource
        return entry

    def words(self) -> str:
        """The manager as conflicts print it."""
        text = f'"{self.manager}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        if self.operation == UPDATE:
            text += f" using {self.api_version}"
            if self.time:
                text += f" at {self.time}"
        return text


def read(obj: Json) -> list[Entry]:
    """An object's entries."""
    return [
        Entry(
            entry.get("manager", ""),
            entry.get("operation", UPDATE),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
            fieldsets.from_json(entry.get("fieldsV1") or {}),
            entry.get("time") or "",
        )
        for entry in obj["metadata"].get("managedFields") or ()
    ]


def write(obj: Json, entries: list[Entry]) -> None:
    """Put entries into an object, appliers first, then by time and name."""
    kept = sorted(
        (entry for entry in entries if entry.fields),
        key=lambda entry: (entry.operation != APPLY, entry.time, *entry.identity),
    )
    if kept:
        obj["metadata"]["managedFields"] = [entry.json() for entry in kept]
    else:
        obj["metadata"].pop("managedFields", None)


def updated(schema: Json, old: Json, new: Json, manager: str, api_version: str, subresource: str) -> None:
    """Record in `new` that `manager` made it out of `old`."""
    entries = read(new)
    changed, removed = fieldsets.compare(schema, old, new)
    if not changed and not removed:
        return
    own = Entry(manager, UPDATE, api_version, subresource, frozenset())
    others = []
    for entry in entries:
        if entry.identity == own.identity:
            own = entry
        else:
            others.append(replace(entry, fields=_without(entry.fields, changed, removed)))
    fields = _without(own.fields, frozenset(), removed) | changed
    if fields != own.fields or not own.time:
        own = replace(own, fields=fields, time=timestamp())
    write(new, [*others, own])


def _without(fields: Set, changed: Set, removed: Set) -> Set:
    """Fields less those that were changed or removed, with all below what was removed."""
    if not changed and not removed:
        return fields
    return frozenset(
        path for path in fields if path not in changed and not any(path[: len(gone)] == gone for gone in removed)
    )


def conflicts(entries: list[Entry], own: Entry, changed: Set) -> list[tuple[Entry, Path]]:
    """Fields that an apply changes and that others manage, in order."""
    return [
        (entry, path)
        for entry in sorted(entries, key=lambda entry: entry.identity)
        if entry.identity != own.identity
        for path in sorted(entry.fields & changed & own.fields)
    ]


def refuse(found: list[tuple[Entry, Path]]) -> ApiError:
    """409: somebody else manages what this would change."""
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {entry.words()}",
            "field": fieldsets.words(path),
        }
        for entry, path in found
    ]
    if len(found) == 1:
        entry, path = found[0]
        said = f"1 conflict: conflict with {entry.words()}: {fieldsets.words(path)}"
    else:
        by_manager: dict[str, list[str]] = {}
        for entry, path in found:
            by_manager.setdefault(entry.words(), []).append(f"- {fieldsets.words(path)}")
        parts = ["\n".join([f"conflicts with {who}:", *by_manager[who]]) for who in sorted(by_manager)]
        said = f"{len(found)} conflicts: " + "\n".join(parts)
    return ApiError(409, "Conflict", f"Apply failed with {said}", {"causes": causes})


def check_applied(config: Json) -> None:
    """An applied object brings no managedFields."""
    if (config.get("metadata") or {}).get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
