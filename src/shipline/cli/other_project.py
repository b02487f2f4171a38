"""Another project of an include, as a directory of this disk: a git repository at any ref, or plain files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shipline.engine.repository import Repository


class OtherProject:
    """The files of a project (`shipline.language.loaders.Project`). Without a ref, those on disk."""

    def __init__(self, root: Path) -> None:
        from shipline.language.loaders import Directory

        self.root = root
        self.files = Directory(root)
        self.is_repository = (root / ".git").exists()

    def opened(self) -> Repository:
        from shipline.engine.repository import Repository

        return Repository.find(self.root)

    def read(self, path: str, ref: str | None) -> str | None:
        if ref is None or not self.is_repository:
            return self.files.read(path)
        repository = self.opened()
        try:
            return repository.read(ref, path.lstrip("/"))
        finally:
            repository.close()

    def paths(self, ref: str | None) -> Sequence[str]:
        if ref is None or not self.is_repository:
            return self.files.paths()
        repository = self.opened()
        try:
            return repository.files(ref)
        finally:
            repository.close()

    def versions(self) -> Sequence[str]:
        if not self.is_repository:
            return []
        from shipline.engine.git import git

        return git(self.root, "tag", "--list").split()

    def commit(self, ref: str) -> str | None:
        if not self.is_repository:
            return ref
        repository = self.opened()
        try:
            found = repository.objects.read(f"{ref}^{{commit}}")
            return found.sha if found else None
        finally:
            repository.close()
