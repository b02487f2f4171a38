"""What was fetched from the web, kept for the next time and for work without a network, and locked if one wishes.

The lock is a JSON file of URLs with the integrity of their content. What is in it must come back unchanged, from
the network or from the cache; a URL that is not in it is fetched and, when the lock is written, added.
"""

from __future__ import annotations

import os
from pathlib import Path

from shipline.language.loader import NotLoaded, NotThere
from shipline.language.loaders import Fetch, integrity


class Fetched:
    """A `fetch` that remembers. `offline`: never ask the network."""

    def __init__(self, fetch: Fetch, cache: Path, lock: Path | None = None, offline: bool = False) -> None:
        self.fetch = fetch
        self.cache = cache
        self.lock = lock
        self.offline = offline
        self.locked = read_lock(lock)
        self.seen: dict[str, bytes] = {}

    def __call__(self, url: str) -> bytes:
        """The content of a URL. Raises NotLoaded when it cannot be had, or is not what the lock says."""
        if url not in self.seen:
            self.seen[url] = self.content(url)
        return self.seen[url]

    def content(self, url: str) -> bytes:
        kept = self.kept(url)
        wanted = self.locked.get(url)
        if kept is not None and (self.offline or (wanted is not None and integrity(kept) == wanted)):
            return self.checked(url, kept)
        if self.offline:
            raise NotLoaded(f"Remote file `{url}` was never fetched on this machine, and --offline forbids asking")
        try:
            content = self.fetch(url)
        except NotThere:
            raise
        except NotLoaded:
            if kept is None:
                raise
            return self.checked(url, kept)
        self.keep(url, content)
        return self.checked(url, content)

    def checked(self, url: str, content: bytes) -> bytes:
        wanted = self.locked.get(url)
        if wanted is not None and integrity(content) != wanted:
            raise NotLoaded(f"Remote file `{url}` is not what {self.lock} says: remove its line to accept")
        return content

    def path(self, url: str) -> Path:
        import hashlib

        return self.cache / hashlib.sha256(url.encode()).hexdigest()

    def kept(self, url: str) -> bytes | None:
        try:
            return self.path(url).read_bytes()
        except OSError:
            return None

    def keep(self, url: str, content: bytes) -> None:
        """Writes the cache, whole or not at all; a cache that cannot be written is no error."""
        target = self.path(url)
        try:
            self.cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            scratch = target.with_suffix(f".{os.getpid()}")
            scratch.write_bytes(content)
            scratch.replace(target)
        except OSError:
            return

    def write_lock(self) -> None:
        """Adds what was fetched to the lock."""
        if self.lock is not None and self.seen:
            import json

            entries = self.locked | {url: integrity(content) for url, content in self.seen.items()}
            self.lock.write_text(json.dumps(dict(sorted(entries.items())), indent=2) + "\n")


def read_lock(path: Path | None) -> dict[str, str]:
    """The entries of a lock; none where there is no file. Raises NotLoaded when it is no lock."""
    if path is None or not path.exists():
        return {}
    import json

    try:
        entries = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise NotLoaded(f"{path} cannot be read: {error}") from None
    if not isinstance(entries, dict):
        raise NotLoaded(f"{path} is no lock of fetched files")
    return {str(url): str(value) for url, value in entries.items()}
