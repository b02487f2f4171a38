"""Where the files of a pipeline's configuration come from: the commit itself, not the working tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from shipline.engine.repository import Repository
from shipline.language.loaders import Fetch, Project, Sources


class CommitFiles:
    """The files of one commit (`shipline.language.loaders.Project`), whatever ref is asked for."""

    def __init__(self, repository: Repository, sha: str) -> None:
        self.repository = repository
        self.sha = sha
        self._paths: list[str] | None = None

    def read(self, path: str, ref: str | None = None) -> str | None:
        return self.repository.read(self.sha, path.lstrip("/"))

    def paths(self, ref: str | None = None) -> Sequence[str]:
        if self._paths is None:
            self._paths = self.repository.files(self.sha)
        return self._paths

    def versions(self) -> Sequence[str]:
        return []

    def commit(self, ref: str) -> str | None:
        return self.sha

    def compare(self, ref: str) -> Sequence[str] | None:
        """The paths in which the commit differs from a ref; None when there is no such ref."""
        for name in (ref, f"refs/remotes/origin/{ref.removeprefix('refs/heads/')}"):
            found = self.repository.objects.read(f"{name}^{{commit}}")
            if found is not None:
                return self.repository.differing(found.sha, self.sha)
        return None


class Elsewhere(msgspec.Struct, frozen=True):
    """What includes may name outside of the commit: other projects by path, a way to the network, templates."""

    projects: Mapping[str, Project] = {}
    fetch: Fetch | None = None
    server: str | None = None
    templates: Project | None = None


def sources(repository: Repository, sha: str, elsewhere: Elsewhere) -> Sources:
    """The loader for the configuration of a commit."""
    files = CommitFiles(repository, sha)
    projects = {repository.project_path: files, **elsewhere.projects}
    return Sources(files, projects, elsewhere.fetch, elsewhere.server, elsewhere.templates, files.compare)
