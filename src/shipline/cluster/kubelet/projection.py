"""Volumes whose files come from the API: configMap, secret, downwardAPI, projected.

A rendered volume is a mapping from path to file. It is laid out as Kubernetes does: the files in a directory
named by time, `..data` pointing to it and each name pointing through `..data`, so that an update is one rename.
"""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.kubelet.environment import (
    Circumstances,
    ConfigurationError,
    data_of,
    field_value,
    resource_value,
)

Json = dict[str, Any]
# (namespace, service account, audience, seconds, pod) -> token
TokenIssuer = Callable[[str, str, str, int, Json], str]

RENDERED = ("configMap", "secret", "downwardAPI", "projected")
_MODE = 0o644


class VolumeError(Exception):
    """A volume cannot be set up: FailedMount. `volume` is its name where that is known."""

    def __init__(self, text: str, volume: str = "") -> None:
        super().__init__(text)
        self.volume = volume


@dataclass(frozen=True, slots=True)
class File:
    """A file of a rendered volume."""

    content: bytes
    mode: int


@dataclass(frozen=True, slots=True)
class Sources:
    """Where rendered files come from: the API, its token issuer, and the node's circumstances."""

    api: Api
    issue_token: TokenIssuer
    circumstances: Circumstances


def render(pod: Json, volume: Json, sources: Sources) -> dict[str, File]:
    """The files of one rendered volume by path. Raises VolumeError naming what is missing."""
    kind = next(kind for kind in RENDERED if kind in volume)
    source = volume[kind]
    if kind != "projected":
        return _source(pod, kind, source, source.get("defaultMode", _MODE), sources, "secretName")
    files: dict[str, File] = {}
    mode = source.get("defaultMode", _MODE)
    for part in source.get("sources") or []:
        for part_kind, part_source in part.items():
            files |= _source(pod, part_kind, part_source, mode, sources, "name")
    return files


def token_lifetime(pod: Json) -> int | None:
    """The shortest life in seconds of a token in the pod's volumes; None when it has none."""
    lives = [
        part["serviceAccountToken"].get("expirationSeconds", 3600)
        for volume in pod["spec"].get("volumes") or []
        for part in (volume.get("projected") or {}).get("sources") or []
        if "serviceAccountToken" in part
    ]
    return min(lives, default=None)


def references(pod: Json, kind: str) -> set[str]:
    """Names of the ConfigMaps or Secrets (`kind` is the resource's name) in the pod's volumes."""
    field, key = ("configMap", "name") if kind == "configmaps" else ("secret", "secretName")
    names: set[str | None] = set()
    for volume in pod["spec"].get("volumes") or []:
        names.add((volume.get(field) or {}).get(key))
        names |= {
            (part.get(field) or {}).get("name") for part in (volume.get("projected") or {}).get("sources") or []
        }
    return {name for name in names if name}


def _source(pod: Json, kind: str, source: Json, mode: int, sources: Sources, name_field: str) -> dict[str, File]:
    match kind:
        case "configMap":
            return _keys(sources.api, pod, "configmaps", source.get("name", ""), source, mode)
        case "secret":
            return _keys(sources.api, pod, "secrets", source.get(name_field, ""), source, mode)
        case "downwardAPI":
            return {
                item["path"]: File(_downward(pod, item, sources.circumstances), item.get("mode", mode))
                for item in source.get("items") or []
            }
        case "serviceAccountToken":
            account = pod["spec"].get("serviceAccountName", "default")
            namespace = pod["metadata"]["namespace"]
            seconds = source.get("expirationSeconds", 3600)
            try:
                token = sources.issue_token(namespace, account, source.get("audience", ""), seconds, pod)
            except ApiError as error:
                raise VolumeError(f"failed to fetch token: {error}") from None
            return {source["path"]: File(token.encode(), mode)}
    raise VolumeError(f"projected sources of type {kind} are not supported by this cluster")


def _keys(api: Api, pod: Json, resource: str, name: str, source: Json, mode: int) -> dict[str, File]:
    data = data_of(api, resource, pod["metadata"]["namespace"], name)
    if data is None:
        if source.get("optional"):
            return {}
        raise VolumeError(f'{resource[:-1]} "{name}" not found')
    if not source.get("items"):
        return {key: File(value, mode) for key, value in data.items()}
    files = {}
    for item in source["items"]:
        if item["key"] in data:
            files[item["path"]] = File(data[item["key"]], item.get("mode", mode))
        elif not source.get("optional"):
            kind = "config" if resource == "configmaps" else "secret"
            raise VolumeError(f"references non-existent {kind} key: {item['key']}")
    return files


def _downward(pod: Json, item: Json, circumstances: Circumstances) -> bytes:
    try:
        if reference := item.get("fieldRef"):
            return field_value(pod, reference["fieldPath"], circumstances).encode()
        return resource_value(pod, None, item["resourceFieldRef"], circumstances).encode()
    except ConfigurationError as error:
        raise VolumeError(str(error)) from None


def lay_out(archive: tarfile.TarFile, directory: str, files: Mapping[str, File], group: int | None) -> None:
    """Add a rendered volume to a tar, below `directory`; `group` owns it where the pod has an fsGroup."""
    now = datetime.now(UTC)
    stamped = f"..{now:%Y_%m_%d_%H_%M_%S}.{time.time_ns() % 10**9:09d}"
    add_directory(archive, directory, 0o1777 if group is None else 0o3777, group)
    add_directory(archive, f"{directory}/{stamped}", 0o755, group)
    folders = {path.rsplit("/", 1)[0] for path in files if "/" in path}
    for folder in sorted(folders):
        parts = folder.split("/")
        for depth in range(1, len(parts) + 1):
            add_directory(archive, f"{directory}/{stamped}/{'/'.join(parts[:depth])}", 0o755, group)
    for path, file in files.items():
        mode = file.mode if group is None else file.mode | 0o440
        add_file(archive, f"{directory}/{stamped}/{path}", file.content, mode, group)
    add_link(archive, f"{directory}/..data", stamped)
    for name in sorted({path.split("/", 1)[0] for path in files}):
        add_link(archive, f"{directory}/{name}", f"..data/{name}")


def add_directory(archive: tarfile.TarFile, path: str, mode: int, group: int | None = None) -> None:
    """A directory entry."""
    entry = _entry(path, mode, group)
    entry.type = tarfile.DIRTYPE
    archive.addfile(entry)


def add_file(
    archive: tarfile.TarFile, path: str, content: bytes, mode: int = _MODE, group: int | None = None
) -> None:
    """A file entry."""
    entry = _entry(path, mode, group)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def add_link(archive: tarfile.TarFile, path: str, target: str) -> None:
    """A symbolic link."""
    entry = _entry(path, 0o777, None)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    archive.addfile(entry)


def _entry(path: str, mode: int, group: int | None) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.mode, entry.gid, entry.mtime = mode, group or 0, int(time.time())
    return entry
