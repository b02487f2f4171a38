"""What a configuration may include on a server: files of its own commit, of other projects here that its user may
read, components of these, and the web. Compiling happens in a thread; the database is asked in its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shipline.engine.git import GitCall
from shipline.engine.repository import Repository
from shipline.engine.sources import CommitFiles
from shipline.language.loader import Loaded, NotLoaded, Origin
from shipline.language.loaders import Project, Sources
from shipline.server.git import content, reading
from shipline.server.instance import Instance
from shipline.server.permissions import REPORTER, Caller, visible_to_all
from shipline.server.remote_files import RemoteFiles

PATIENCE = 30.0
"""Seconds that a question to the database may take."""


class ProjectFiles:
    """The files of a project of this server at any ref (`shipline.language.loaders.Project`)."""

    def __init__(self, path: Path, default_branch: str) -> None:
        self.path = path
        self.default_branch = default_branch
        self._commits: dict[str | None, str] = {}

    def read(self, path: str, ref: str | None) -> str | None:
        sha = self._commit(ref)
        found = content.entry(self.path, sha, path.lstrip("/"))
        if found is None or found.kind != "blob":
            return None
        return GitCall(self.path, "cat-file", "blob", found.sha).output().decode("utf-8-sig", "replace")

    def paths(self, ref: str | None) -> Sequence[str]:
        entries = content.tree(self.path, self._commit(ref), "", recursive=True) or []
        return [entry.path for entry in entries if entry.kind == "blob"]

    def versions(self) -> Sequence[str]:
        return [tag.name for tag in reading.tags(self.path)]

    def commit(self, ref: str) -> str | None:
        return content.resolve(self.path, ref)

    def _commit(self, ref: str | None) -> str:
        if ref not in self._commits:
            sha = content.resolve(self.path, ref or self.default_branch)
            if sha is None:
                raise NotLoaded(f"Reference `{ref or self.default_branch}` does not exist!")
            self._commits[ref] = sha
        return self._commits[ref]


class ServerSources(Sources):
    """The loader of a configuration whose pipeline a caller asks for. `loaded`: what was included so far."""

    def __init__(self, instance: Instance, caller: Caller, repository: Repository, sha: str, own: str) -> None:
        files = CommitFiles(repository, sha)
        remote = RemoteFiles(local=instance.settings.allow_local_requests)
        super().__init__(files, {own: files}, remote.fetch, compare=files.compare)
        self.instance = instance
        self.caller = caller
        self.own = own
        self.loaded: list[tuple[Origin, Loaded]] = []

    def load(self, origin: Origin) -> Loaded:
        found = super().load(origin)
        if all(known != origin for known, _ in self.loaded):
            self.loaded.append((origin, found))
        return found

    def project(self, path: str) -> Project:
        known = path.strip("/")
        if known != self.own and known not in self.projects:
            future = asyncio.run_coroutine_threadsafe(self._found(known), self.instance.loop)
            project = future.result(PATIENCE)
            if project is None:
                raise NotLoaded(
                    f"Project `{known}` not found or access denied! Make sure any includes are correct."
                )
            self.projects[known] = ProjectFiles(Path(project.path), project.default_branch)
        if known == self.own:
            return self._own()
        return self.projects[known]

    def component(self, origin: Origin) -> Loaded:
        host = origin.path.partition("/")[0]
        here = urlsplit(self.instance.settings.url)
        if host not in (here.netloc, here.hostname):
            raise NotLoaded(f"Component `{origin}` is not on this server ({here.netloc}): mirror its project here")
        return super().component(origin)

    def _own(self) -> Project:
        """The project itself, at another ref perhaps."""
        files = self.local
        assert isinstance(files, CommitFiles)
        return ProjectFiles(files.repository.path, files.repository.default_branch)

    async def _found(self, path: str) -> Any | None:
        """A project that the caller may read the code of."""
        projects = self.instance.projects
        project = projects.find(path)
        if project is None or not project.full_path:
            return None
        seen = visible_to_all(project, self.caller) and self.caller.job_id is None
        return project if seen or projects.level(project, self.caller) >= REPORTER else None
