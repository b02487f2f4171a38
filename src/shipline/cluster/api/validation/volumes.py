"""A pod's volumes: exactly one source each, and what each source needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shipline.cluster.api.validation import formats
from shipline.cluster.api.validation.causes import Causes

Json = dict[str, Any]

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
_SHORTEST_TOKEN = 600
FIELDS = (
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
)


def check_volumes(causes: Causes, field: str, volumes: list[Json]) -> set[str]:
    """All volumes; the names that containers may mount."""
    names: set[str] = set()
    for index, volume in enumerate(volumes):
        path = f"{field}[{index}]"
        found = len(causes.found)
        _source(causes, path, volume)
        name = volume.get("name", "")
        if not name:
            causes.required(f"{path}.name")
        else:
            for complaint in formats.dns_label(name):
                causes.invalid(f"{path}.name", name, complaint)
        if name in names:
            causes.duplicate(f"{path}.name", name)
        if len(causes.found) == found:
            names.add(name)
    return names


def _source(causes: Causes, field: str, volume: Json) -> None:
    sources = [name for name in volume if name != "name"]
    if not sources:
        causes.required(field, "must specify a volume type")
        return
    for extra in sources[1:]:
        causes.forbidden(f"{field}.{extra}", "may not specify more than 1 volume type")
    kind = sources[0]
    check = _SOURCES.get(kind)
    if check is not None:
        check(causes, f"{field}.{kind}", volume[kind])


def _empty_dir(causes: Causes, field: str, source: Json) -> None:
    if str(source.get("sizeLimit", "0")).startswith("-"):
        causes.forbidden(f"{field}.sizeLimit", "SizeLimit field must be a valid resource quantity")


def _host_path(causes: Causes, field: str, source: Json) -> None:
    path = source.get("path", "")
    if not path:
        causes.required(f"{field}.path")
        return
    check_no_backsteps(causes, f"{field}.path", path)
    if source.get("type") not in (None, *_HOST_PATH_TYPES):
        causes.unsupported(f"{field}.type", source["type"], _HOST_PATH_TYPES)


def _config_map(causes: Causes, field: str, source: Json) -> None:
    if not source.get("name"):
        causes.required(f"{field}.name")
    _files(causes, field, source)


def _secret(causes: Causes, field: str, source: Json) -> None:
    if not source.get("secretName"):
        causes.required(f"{field}.secretName")
    _files(causes, field, source)


def _files(causes: Causes, field: str, source: Json) -> None:
    _mode(causes, f"{field}.defaultMode", source.get("defaultMode"))
    for index, item in enumerate(source.get("items") or ()):
        _item(causes, f"{field}.items[{index}]", item)


def _mode(causes: Causes, field: str, mode: int | None) -> None:
    if mode is not None and not 0 <= mode <= 0o777:
        causes.invalid(field, mode, _MODE)


def _item(causes: Causes, field: str, item: Json) -> None:
    if not item.get("key"):
        causes.required(f"{field}.key")
    path = item.get("path", "")
    if not path:
        causes.required(f"{field}.path")
    check_inner_path(causes, f"{field}.path", path)
    _mode(causes, f"{field}.mode", item.get("mode"))


def _downward(causes: Causes, field: str, source: Json) -> None:
    _mode(causes, f"{field}.defaultMode", source.get("defaultMode"))
    _downward_items(causes, field, source)


def _downward_items(causes: Causes, field: str, source: Json) -> None:
    for item in source.get("items") or ():
        if not item.get("path"):
            causes.required(f"{field}.path")
        check_inner_path(causes, f"{field}.path", item.get("path", ""))
        reference, resource = item.get("fieldRef"), item.get("resourceFieldRef")
        if reference is not None and resource is not None:
            causes.invalid(field, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
        elif reference is not None:
            check_field_reference(causes, f"{field}.fieldRef", reference, FIELDS)
        elif resource is None:
            causes.required(field, "one of fieldRef and resourceFieldRef is required")
        _mode(causes, f"{field}.mode", item.get("mode"))


def check_field_reference(causes: Causes, field: str, reference: Json, known: tuple[str, ...]) -> None:
    """A reference to one of the pod's own fields."""
    path = reference.get("fieldPath", "")
    if not path:
        causes.required(f"{field}.fieldPath")
        return
    name, bracket, key = path.partition("['")
    if bracket and name in ("metadata.labels", "metadata.annotations") and key.endswith("']"):
        for complaint in formats.qualified_name(key[:-2].lower()):
            causes.invalid(field, key[:-2], complaint)
    elif path not in known:
        causes.unsupported(f"{field}.fieldPath", path, known)


def _projected(causes: Causes, field: str, source: Json) -> None:
    _mode(causes, f"{field}.defaultMode", source.get("defaultMode"))
    paths: set[str] = set()
    for index, one in enumerate(source.get("sources") or ()):
        place = f"{field}.sources[{index}]"
        if len(one) > 1:
            causes.forbidden(place, "may not specify more than 1 volume type per source")
        for kind in ("secret", "configMap"):
            if kind in one:
                if not one[kind].get("name"):
                    causes.required(f"{place}.{kind}.name")
                for at, item in enumerate(one[kind].get("items") or ()):
                    _item(causes, f"{place}.{kind}.items[{at}]", item)
                    _unique(causes, field, paths, item.get("path", ""), one[kind].get("name", ""))
        if "downwardAPI" in one:
            _downward_items(causes, f"{place}.downwardAPI", one["downwardAPI"])
            for item in one["downwardAPI"].get("items") or ():
                _unique(causes, field, paths, item.get("path", ""), item.get("path", ""))
        if "serviceAccountToken" in one:
            _token(causes, field, f"{place}.serviceAccountToken", one["serviceAccountToken"])


def _unique(causes: Causes, field: str, paths: set[str], path: str, shown: str) -> None:
    if path and path in paths:
        causes.invalid(field, shown, "conflicting duplicate paths")
    paths.add(path)


def _token(causes: Causes, field: str, place: str, token: Json) -> None:
    seconds = token.get("expirationSeconds", 3600)
    if seconds < _SHORTEST_TOKEN:
        why = "may not specify a duration less than 10 minutes"
        causes.invalid(f"{place}.expirationSeconds", seconds, why)
    if not token.get("path"):
        causes.required(f"{field}.path")
    else:
        check_inner_path(causes, f"{field}.path", token["path"])


def check_no_backsteps(causes: Causes, field: str, path: str) -> None:
    """A path that doesn't climb."""
    if ".." in path.split("/"):
        causes.invalid(field, path, "must not contain '..'")


def check_descending(causes: Causes, field: str, path: str) -> None:
    """A relative path that doesn't climb."""
    if path.startswith("/"):
        causes.invalid(field, path, "must be a relative path")
    check_no_backsteps(causes, field, path)


def check_inner_path(causes: Causes, field: str, path: str) -> None:
    """A file's place inside a volume."""
    check_descending(causes, field, path)
    if path.startswith("..") and not path.startswith("../"):
        causes.invalid(field, path, "must not start with '..'")


_SOURCES: dict[str, Callable[[Causes, str, Json], None]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "configMap": _config_map,
    "secret": _secret,
    "downwardAPI": _downward,
    "projected": _projected,
}
