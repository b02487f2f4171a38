"""Volumes that the runner's configuration mounts into every job: `[[runners.kubernetes.volumes.<kind>]]`."""

from __future__ import annotations

from typing import Any

import msgspec


class Mount(msgspec.Struct, kw_only=True):
    """Where a volume appears: in the build, helper and service containers alike."""

    name: str
    mount_path: str
    sub_path: str = ""
    read_only: bool = False
    mount_propagation: str = ""

    def source(self) -> dict[str, Any]:
        """The volume's source, as a pod spec writes it."""
        raise TypeError(type(self).__name__)

    def mount(self, name: str) -> dict[str, Any]:
        """The container's side, as a pod spec writes it."""
        mount: dict[str, Any] = {"name": name, "mountPath": self.mount_path}
        if self.sub_path:
            mount["subPath"] = self.sub_path
        if self.read_only:
            mount["readOnly"] = True
        if self.mount_propagation:
            mount["mountPropagation"] = self.mount_propagation
        return mount


class HostPath(Mount, kw_only=True):
    host_path: str = ""

    def source(self) -> dict[str, Any]:
        return {"hostPath": {"path": self.host_path or self.mount_path}}


class ConfigMap(Mount, kw_only=True):
    """`items` maps a key to the file it becomes; without it every key is a file."""

    items: dict[str, str] = {}

    def source(self) -> dict[str, Any]:
        return {"configMap": {"name": self.name} | _items(self.items)}


class Secret(Mount, kw_only=True):
    items: dict[str, str] = {}

    def source(self) -> dict[str, Any]:
        return {"secret": {"secretName": self.name} | _items(self.items)}


class EmptyDir(Mount, kw_only=True):
    medium: str = ""
    size_limit: str = ""

    def source(self) -> dict[str, Any]:
        given = {"medium": self.medium, "sizeLimit": self.size_limit}
        return {"emptyDir": {key: value for key, value in given.items() if value}}


class Claim(Mount, kw_only=True):
    def source(self) -> dict[str, Any]:
        return {"persistentVolumeClaim": {"claimName": self.name}}


class Volumes(msgspec.Struct):
    host_path: list[HostPath] = []
    config_map: list[ConfigMap] = []
    secret: list[Secret] = []
    empty_dir: list[EmptyDir] = []
    pvc: list[Claim] = []

    def all(self) -> list[Mount]:
        return [*self.host_path, *self.config_map, *self.secret, *self.empty_dir, *self.pvc]


def _items(items: dict[str, str]) -> dict[str, Any]:
    return {"items": [{"key": key, "path": path} for key, path in items.items()]} if items else {}
