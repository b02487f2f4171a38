"""A pod's directory: where its volumes and termination messages lie, and how containers get at them.

Two engine volumes hold it, one on disk and one in memory for what the API renders (secrets never touch a disk),
both mounted into the sandbox; each emptyDir in memory has a volume of its own. Containers bind their parts of
it by the path that the engine gives for the volume, which is right also where the engine runs elsewhere.
"""

from __future__ import annotations

import asyncio
import io
import posixpath
import stat
import tarfile
from pathlib import Path
from typing import Any

from shipline.cluster.engine import ContainerEngine
from shipline.cluster.kubelet import quantity
from shipline.cluster.kubelet.environment import expand
from shipline.cluster.kubelet.projection import (
    RENDERED,
    File,
    Sources,
    VolumeError,
    add_directory,
    add_file,
    lay_out,
    render,
)

Json = dict[str, Any]

DISK, MEMORY = "/pod", "/memory"
# A tmpfs has no size of its own in Kubernetes either; this keeps a runaway writer from taking the machine.
_RENDERED_SIZE = "64m"


class PodVolumes:
    """The volumes of one pod. `create` first; the rest may then be called in any order."""

    def __init__(self, engine: ContainerEngine, pod: Json, prefix: str, labels: dict[str, str]) -> None:
        self._engine = engine
        self._labels = labels
        self._prefix = prefix
        self._paths: dict[str, str] = {}
        self._rendered: dict[str, dict[str, File]] = {}
        spec = pod["spec"]
        self._volumes: dict[str, Json] = {volume["name"]: volume for volume in spec.get("volumes") or []}
        self._containers = [*(spec.get("initContainers") or []), *spec["containers"]]
        self._own_files = _own_files(spec)
        self._group: int | None = (spec.get("securityContext") or {}).get("fsGroup")

    async def create(self) -> None:
        """Make the engine's volumes; existing ones are taken as they are."""
        wanted = {DISK: self._create("disk", None), MEMORY: self._create("memory", {"size": _RENDERED_SIZE})}
        for name, volume in self._volumes.items():
            if (volume.get("emptyDir") or {}).get("medium") == "Memory":
                limit = volume["emptyDir"].get("sizeLimit")
                options = {"size": str(quantity.size(limit))} if limit else {}
                wanted[f"/tmpfs/{name}"] = self._create(name, options)
        made = await asyncio.gather(*wanted.values())
        self._paths = dict(zip(wanted, made, strict=True))

    async def _create(self, suffix: str, memory: dict[str, str] | None) -> str:
        body: Json = {"Name": f"{self._prefix}-{suffix}", "Driver": "local", "Labels": self._labels}
        if memory is not None:
            options = ",".join(f"{key}={value}" for key, value in (memory | {"mode": "0777"}).items())
            body["DriverOpts"] = {"type": "tmpfs", "device": "tmpfs", "o": options}
        made = await self._engine.post("volumes/create", body)
        return str(made["Mountpoint"])

    def sandbox_mounts(self) -> list[Json]:
        """What the sandbox mounts."""
        names = {DISK: "disk", MEMORY: "memory"}
        return [
            {"Type": "volume", "Source": f"{self._prefix}-{names.get(at, at[7:])}", "Target": at}
            for at in self._paths
        ]

    def check(self, host_is_here: bool) -> None:
        """Refuse what cannot be honoured. Raises VolumeError."""
        for name, volume in self._volumes.items():
            kind = _kind(volume)
            if kind == "hostPath":
                _check_host_path(name, volume["hostPath"], host_is_here)
            elif kind == "emptyDir":
                medium = volume["emptyDir"].get("medium", "")
                if medium not in ("", "Memory"):
                    raise VolumeError(f"emptyDir medium {medium} is not supported by this cluster", name)
            elif kind not in RENDERED:
                raise VolumeError(f"volumes of type {kind} are not supported by this cluster", name)

    def render(self, pod: Json, sources: Sources) -> dict[str, dict[str, File]]:
        """The rendered volumes that differ from what was rendered before. Raises VolumeError."""
        changed = {}
        for name, volume in self._volumes.items():
            if _kind(volume) not in RENDERED:
                continue
            try:
                files = render(pod, volume, sources)
            except VolumeError as error:
                raise VolumeError(str(error), name) from None
            if files != self._rendered.get(name):
                changed[name] = files
        return changed

    def archive(self, changed: dict[str, dict[str, File]], first: bool) -> bytes:
        """A tar, to be unpacked at the sandbox's root, of rendered volumes; when `first`, of the directory too."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
            if first:
                self._lay_out_directory(tar)
            for name, files in changed.items():
                lay_out(tar, f"{MEMORY}/{name}", files, self._group)
                self._rendered[name] = files
        return buffer.getvalue()

    def _lay_out_directory(self, tar: tarfile.TarFile) -> None:
        add_directory(tar, f"{DISK}/termination", 0o755)
        for container in self._containers:
            add_file(tar, f"{DISK}/termination/{container['name']}", b"", 0o666)
        mode = 0o777 if self._group is None else 0o2777
        add_directory(tar, f"{DISK}/empty", 0o755)
        for name, volume in self._volumes.items():
            if _kind(volume) == "emptyDir" and f"/tmpfs/{name}" not in self._paths:
                add_directory(tar, f"{DISK}/empty/{name}", mode, self._group)
            elif f"/tmpfs/{name}" in self._paths:
                add_directory(tar, f"/tmpfs/{name}", mode, self._group)

    def binds(self, container: Json, variables: dict[str, str]) -> tuple[list[str], list[str]]:
        """A container's binds, and the sandbox paths (of subPaths) that have to exist before it starts."""
        path = container.get("terminationMessagePath", "/dev/termination-log")
        binds = [f"{self._paths[DISK]}/termination/{container['name']}:{path}"]
        binds += [f"{self._paths[DISK]}/etc/{name}:/etc/{name}" for name in self._own_files]
        needed = []
        for mount in container.get("volumeMounts") or []:
            volume = self._volumes[mount["name"]]
            inside, source = self._places(volume)
            if sub := expand(mount.get("subPathExpr", ""), variables) or mount.get("subPath", ""):
                if ".." in sub.split("/") or sub.startswith("/"):
                    raise VolumeError(f"subPath {sub} leaves the volume", mount["name"])
                source = posixpath.join(source, sub)
                if inside and _kind(volume) == "emptyDir":
                    needed.append(posixpath.join(inside, sub))
            options = ["ro" if mount.get("readOnly") or _kind(volume) in RENDERED else "rw"]
            propagation = mount.get("mountPropagation", "None")
            options += {"HostToContainer": ["rslave"], "Bidirectional": ["rshared"]}.get(propagation, [])
            binds.append(f"{source}:{mount['mountPath'].rstrip('/') or '/'}:{','.join(options)}")
        return binds, needed

    def _places(self, volume: Json) -> tuple[str, str]:
        """A volume's path in the sandbox ("" for a hostPath) and on the engine's host."""
        name = volume["name"]
        kind = _kind(volume)
        if kind == "hostPath":
            return "", str(volume["hostPath"]["path"])
        if kind in RENDERED:
            return f"{MEMORY}/{name}", f"{self._paths[MEMORY]}/{name}"
        if own := self._paths.get(f"/tmpfs/{name}"):
            return f"/tmpfs/{name}", own
        return f"{DISK}/empty/{name}", f"{self._paths[DISK]}/empty/{name}"

    def termination_file(self, container: str) -> tuple[str, Path]:
        """A container's termination message: its path in the sandbox and on the engine's host."""
        return f"{DISK}/termination/{container}", Path(self._paths[DISK]) / "termination" / container

    def limited(self) -> dict[str, int]:
        """Sandbox paths of the emptyDirs on disk that have a size limit, in bytes."""
        return {
            self._places(volume)[0]: quantity.size(volume["emptyDir"]["sizeLimit"])
            for name, volume in self._volumes.items()
            if _kind(volume) == "emptyDir"
            and volume["emptyDir"].get("sizeLimit")
            and f"/tmpfs/{name}" not in self._paths
        }

    async def remove(self) -> None:
        """Remove the engine's volumes, once no container uses them."""
        suffixes = {DISK: "disk", MEMORY: "memory"}
        names = [f"{self._prefix}-{suffixes.get(at, at[7:])}" for at in self._paths]
        await asyncio.gather(*(self._engine.delete(f"volumes/{name}", force=True) for name in names))


def _own_files(spec: Json) -> list[str]:
    """Files of /etc that a pod on the node's network has for itself."""
    if not spec.get("hostNetwork"):
        return []
    resolver = spec.get("dnsPolicy") in ("ClusterFirstWithHostNet", "None") or spec.get("dnsConfig")
    return ["hosts", "resolv.conf"] if resolver else ["hosts"]


def _kind(volume: Json) -> str:
    """A volume's type; one that says nothing is an emptyDir."""
    return next((key for key in volume if key != "name"), "emptyDir")


_TYPES = {
    "Directory": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


def _check_host_path(name: str, source: Json, host_is_here: bool) -> None:
    """Kubernetes' check of hostPath.type; possible only where the engine's host is this machine."""
    path, kind = Path(source["path"]), source.get("type") or ""
    if kind in ("", "DirectoryOrCreate"):
        return
    if not host_is_here:
        raise VolumeError(f"hostPath type {kind} cannot be checked: the container engine runs elsewhere", name)
    if kind == "FileOrCreate":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o644)
        return
    is_one, title = _TYPES[kind]
    if not path.exists() or not is_one(path.stat().st_mode):
        raise VolumeError(f"hostPath type check failed: {path} is not a {title}", name)
