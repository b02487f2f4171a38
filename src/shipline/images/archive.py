"""An image archive: a root file system and a configuration, in the form that every container engine loads."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ARCHITECTURES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def write(root: Path, config: dict[str, Any], tags: Iterable[str], into: Path) -> None:
    """Wraps the tar file `root` as the single layer of an image with these tags, and writes the archive."""
    with root.open("rb") as stream:
        diff = hashlib.file_digest(stream, "sha256").hexdigest()
    machine = platform.machine()
    image = json.dumps(
        {
            "architecture": ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "created": datetime.now(UTC).isoformat(),
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}"]},
        },
        sort_keys=True,
    ).encode()
    name = hashlib.sha256(image).hexdigest() + ".json"
    manifest = [{"Config": name, "RepoTags": list(tags), "Layers": [f"{diff}/layer.tar"]}]
    with tarfile.open(into, "w") as archive:
        _add(archive, name, image)
        _add(archive, "manifest.json", json.dumps(manifest).encode())
        archive.add(root, f"{diff}/layer.tar")


def of_files(contents: dict[str, tuple[bytes, int]], below: str = "") -> bytes:
    """A tar of (bytes, mode) by absolute path, all owned by root, with their parent folders."""
    stream = io.BytesIO()
    made: set[str] = set()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, (data, mode) in contents.items():
            target = (below + path).lstrip("/")
            for parent in reversed([str(p) for p in Path(target).parents if str(p) != "."]):
                if parent not in made:
                    made.add(parent)
                    folder = tarfile.TarInfo(parent)
                    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                    archive.addfile(folder)
            _add(archive, target, data, mode)
    return stream.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))
