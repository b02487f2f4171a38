"""Where the files of a pipeline's configuration come from: the commit itself, and the web for remote includes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from shipline.engine.repository import Repository
from shipline.language.loader import Loaded, NotLoaded, Origin

REMOTE_TIMEOUT = 20.0
REMOTE_LIMIT = 2 << 20


class CommitFiles:
    """A loader (`shipline.language.loader.Loader`) for one commit of a repository on this machine.

    Files of other projects, components and templates are not here: what includes them is told so.
    """

    def __init__(self, repository: Repository, sha: str) -> None:
        self.repository = repository
        self.sha = sha
        self._paths: list[str] | None = None
        self._remote: dict[str, str] = {}

    def load(self, origin: Origin) -> Loaded:
        if origin.kind == "remote":
            return Loaded(self._fetch(origin), origin)
        if origin.project or origin.kind != "local":
            raise NotLoaded(_elsewhere(origin))
        text = self.repository.read(self.sha, origin.path.lstrip("/"))
        if text is None:
            raise NotLoaded(f"Local file `{origin.path}` does not exist in commit {self.sha[:8]}!")
        return Loaded(text, origin)

    def paths(self, project: str | None = None, ref: str | None = None) -> Sequence[str]:
        if project is not None and project != self.repository.project_path:
            raise NotLoaded(f"The project `{project}` is not on this machine")
        if self._paths is None:
            self._paths = self.repository.files(self.sha)
        return self._paths

    def changed(self, compare_to: str) -> Sequence[str] | None:
        for ref in (compare_to, f"refs/remotes/origin/{compare_to.removeprefix('refs/heads/')}"):
            found = self.repository.objects.read(f"{ref}^{{commit}}")
            if found is not None:
                return self.repository.differing(found.sha, self.sha)
        return None

    def _fetch(self, origin: Origin) -> str:
        url = origin.path
        if url not in self._remote:
            self._remote[url] = _download(url)
        text = self._remote[url]
        if origin.integrity and origin.integrity != _integrity(text):
            raise NotLoaded(f"Remote file `{url}` does not match its integrity {origin.integrity}")
        return text


def _download(url: str) -> str:
    from urllib.error import URLError
    from urllib.request import urlopen

    if not url.startswith(("http://", "https://")):
        raise NotLoaded(f"Remote file `{url}` does not have a valid address!")
    try:
        with urlopen(url, timeout=REMOTE_TIMEOUT) as answer:
            content: bytes = answer.read(REMOTE_LIMIT + 1)
    except (URLError, OSError, ValueError) as error:
        raise NotLoaded(f"Remote file `{url}` could not be fetched: {getattr(error, 'reason', error)}") from None
    if len(content) > REMOTE_LIMIT:
        raise NotLoaded(f"Remote file `{url}` is larger than {REMOTE_LIMIT >> 20} MB")
    return content.decode("utf-8", errors="replace")


def _integrity(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _elsewhere(origin: Origin) -> str:
    match origin.kind:
        case "template":
            return f"`template: {origin.path}` is not supported: GitLab's templates are not part of Shipline"
        case "component":
            return f"`component: {origin}` is not supported: components of other projects are not on this machine"
        case _:
            return f"`{origin}` is not supported: files of other projects are not on this machine"
