"""Where a server's jobs publish to: releases make tags in their repositories, sites are files in a folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from shipline.engine.errors import EngineError
from shipline.engine.git import GitError
from shipline.engine.git import git as run_git
from shipline.engine.live import Live
from shipline.engine.releases import check_tag
from shipline.engine.repository import NO_SHA
from shipline.server import tables as t
from shipline.server.accounts import caller_of
from shipline.server.git import pushes, reading
from shipline.server.instance import Instance
from shipline.server.permissions import Caller


class ServerPublisher:
    """Implements `shipline.engine.publishing.Publisher`."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._announcing: set[asyncio.Task[Any]] = set()

    @property
    def sites(self) -> Path:
        return self._instance.settings.home / "pages"

    def tag(self, live: Live, release: dict[str, Any]) -> str:
        """The tag's commit. A tag that is missing is made as the pipeline's user, whose pipeline for it follows."""
        project = self._instance.projects.by_id(live.record.project_id)
        row = self._instance.database.one(t.pipelines.select().where(t.pipelines.c.id == live.record.id))
        user = self._instance.accounts.user(row.user_id) if row is not None and row.user_id is not None else None
        if project is None or user is None:
            raise EngineError("nobody may make the release's tag: the pipeline's user is gone")
        wanted = str(release.get("ref") or live.record.commit.sha)
        message = str(release.get("tag_message") or "")
        return self.make_tag(project, caller_of(user), str(release["tag_name"]), wanted, message)

    def make_tag(self, project: Any, caller: Caller, name: str, ref: str, message: str) -> str:
        """The commit of the tag, which is made of `ref` where it is missing. Raises EngineError."""
        path = Path(project.path)
        check_tag(name)
        if (known := reading.commit(path, f"refs/tags/{name}")) is not None:
            return known.sha
        target = reading.commit(path, ref) if ref else None
        if target is None:
            raise EngineError(
                f"Ref is not specified: there is no tag '{name}' yet, and no ref '{ref}' to make it of"
            )
        change = pushes.Change(NO_SHA, target.sha, f"refs/tags/{name}")
        if why := pushes.forbidden(self._instance, project, caller, [change]):
            raise EngineError(why)
        try:
            if message:
                signer = {"GIT_COMMITTER_NAME": caller.name, "GIT_COMMITTER_EMAIL": caller.email}
                run_git(path, "tag", "-a", "-m", message, "--", name, target.sha, environment=signer)
            else:
                run_git(path, "update-ref", change.ref, target.sha, "")
        except GitError as error:
            raise EngineError(f"the tag '{name}' could not be made: {error}") from None
        task = asyncio.get_running_loop().create_task(pushes.pushed(self._instance, project, caller, [change], []))
        self._announcing.add(task)
        task.add_done_callback(self._announcing.discard)
        return target.sha

    def archive(self, job_id: int) -> Path | None:
        found = self._instance.artifacts.archive(job_id)
        return self._instance.artifacts.file_now(found) if found is not None else None

    def read(self, live: Live, path: str) -> str | None:
        project = self._instance.projects.by_id(live.record.project_id)
        if project is None:
            return None
        repository = self._instance.projects.repository(project, self._instance.settings.url)
        try:
            return repository.read(live.record.commit.sha, path)
        finally:
            repository.close()
