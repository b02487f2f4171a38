"""A folder that is copied many times: its small files are read once and kept in memory.

Files, symbolic links and permissions are copied; paths are plain strings, since a job's checkout is a hot path.
"""

# ruff: noqa: PTH102, PTH103, PTH115, PTH211

from __future__ import annotations

import os

SMALL_FILE = 64 << 10  # bytes
KEPT = 4 << 20  # bytes of file contents kept altogether
MANY_FILES = 300
REPLACED = ("/.git/index", "/.git/packed-refs")
"""What git never writes into, but puts a new file in the place of: copies may share the first one."""


class Snapshot:
    """`write` makes one more copy. `is_large`: a copy takes long enough to be made in a thread."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._folders: list[str] = []
        self._links: list[tuple[str, str]] = []
        self._files: list[tuple[str, int, bytes | None]] = []
        self._kept = 0
        self._look(folder, "")

    @property
    def is_large(self) -> bool:
        return len(self._files) > MANY_FILES or any(data is None for _, _, data in self._files)

    def _look(self, folder: str, below: str) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = f"{below}/{entry.name}"
                if entry.is_symlink():
                    self._links.append((name, os.readlink(entry.path)))
                elif entry.is_dir():
                    self._folders.append(name)
                    self._look(entry.path, name)
                else:
                    status = entry.stat()
                    mode = 0o777 if status.st_mode & 0o111 else 0o666
                    self._files.append((name, mode, self._content(entry.path, status.st_size)))

    def _content(self, path: str, size: int) -> bytes | None:
        if size > SMALL_FILE or self._kept + size > KEPT:
            return None
        self._kept += size
        with open(path, "rb") as file:
            return file.read()

    def write(self, target: str) -> None:
        """Copies everything to `target`, which is made and must not exist."""
        try:
            os.mkdir(target)
        except FileNotFoundError:
            os.makedirs(target)
        for name in self._folders:
            os.mkdir(target + name)
        for name, mode, data in self._files:
            if name in REPLACED and self._linked(name, target):
                continue
            if data is None:
                os.close(os.open(target + name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
                import shutil

                shutil.copyfile(self._folder + name, target + name)
                continue
            descriptor = os.open(target + name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            os.write(descriptor, data)
            os.close(descriptor)
        for name, points_to in self._links:
            os.symlink(points_to, target + name)

    def _linked(self, name: str, target: str) -> bool:
        """Whether the copy could be a link, which takes a third of the time."""
        try:
            os.link(self._folder + name, target + name)
        except OSError:  # another disk, or one without links
            return False
        return True
