"""Where this machine's own pipelines publish to: releases are only written down, sites are files in the state
folder.

A person's repository is never written to, so a release makes no tag there; the release says which commit it is of.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from shipline.engine.errors import EngineError
from shipline.engine.live import Live
from shipline.engine.repository import Repository
from shipline.engine.shelf import LocalShelf
from shipline.engine.store import Store


class LocalPublisher:
    """Implements `shipline.engine.publishing.Publisher` for a store whose files are in `home`."""

    def __init__(self, store: Store, home: Path) -> None:
        self._store = store
        self._home = home
        self._shelf = LocalShelf(store, home)

    @property
    def sites(self) -> Path:
        return self._home / "pages"

    def tag(self, live: Live, release: dict[str, Any]) -> str:
        """The commit of the tag where the repository has it, else that of `ref`, else the pipeline's."""
        with self._repository(live) as repository:
            for name in (f"refs/tags/{release['tag_name']}", release.get("ref") or live.record.commit.sha):
                if (found := repository.objects.read(f"{name}^{{commit}}")) is not None:
                    return found.sha
        raise EngineError(f"the release's ref '{release.get('ref')}' is no commit, branch or tag")

    def archive(self, job_id: int) -> Path | None:
        path = self._shelf.archive_path(job_id)
        return path if path.exists() else None

    def read(self, live: Live, path: str) -> str | None:
        with self._repository(live) as repository:
            return repository.read(live.record.commit.sha, path)

    def _repository(self, live: Live) -> closing[Repository]:
        return closing(Repository.find(Path(self._store.project_by_id(live.record.project_id).path)))
