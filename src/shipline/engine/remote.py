"""A git repository elsewhere: what it has is fetched, and what has changed since the last time is told."""

from __future__ import annotations

import base64
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from shipline.engine.git import GitCall
from shipline.engine.repository import NO_SHA

FETCHED = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")


class RefChange(NamedTuple):
    """A branch or tag (`ref` is its full name) and the ids it names; zeros where it was not, or is no more."""

    before: str
    after: str
    ref: str


class Remote:
    """`url` may carry user and password for HTTP: git gets these in its environment, since arguments are for
    everybody to see."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        login, _, host = parts.netloc.rpartition("@") if parts.scheme in ("http", "https") else ("", "", "")
        self.url = url
        self.login = login
        self.address = urlunsplit(parts._replace(netloc=host)) if login else url

    @cached_property
    def _environment(self) -> dict[str, str]:
        if not self.login:
            return {}
        header = base64.b64encode(":".join(map(unquote, self.login.split(":", 1))).encode()).decode()
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{self.address}.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {header}",
        }

    def fetch(self, directory: Path) -> list[RefChange]:
        """Brings all branches and tags into the bare repository; gives what changed. Raises GitError. Blocks."""
        before = refs(directory)
        words = ("fetch", "--quiet", "--prune", "--no-tags", self.address, *FETCHED)
        GitCall(directory, *words, environment=self._environment).output()
        after = refs(directory)
        return [
            RefChange(before.get(ref, NO_SHA), after.get(ref, NO_SHA), ref)
            for ref in sorted(before.keys() | after.keys())
            if before.get(ref) != after.get(ref)
        ]

    def head(self, directory: Path) -> str:
        """The default branch; empty when the other side does not say. Blocks."""
        call = GitCall(directory, "ls-remote", "--symref", self.address, "HEAD", environment=self._environment)
        for line in call.output(missing=b"").decode(errors="replace").splitlines():
            if line.startswith("ref: refs/heads/"):
                return line.split()[1].removeprefix("refs/heads/")
        return ""


def refs(directory: Path, *below: str) -> dict[str, str]:
    """What the repository's refs name, by their full names: its branches and tags, or those `below`."""
    words = ("for-each-ref", "--format=%(refname) %(objectname)", *(below or ("refs/heads", "refs/tags")))
    text = GitCall(directory, *words).output()
    return dict(line.rsplit(" ", 1) for line in text.decode(errors="replace").splitlines())
