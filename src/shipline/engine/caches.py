"""The caches of a job, in two steps as in GitLab: keys that are computed from files are computed when the pipeline
is created, from its commit; what a runner gets has the suffixes that keep apart what must not be shared.

Files are named by their content (`files`) or by the commits that last changed them (`files_commits`). The suffix
`-protected` keeps a pipeline of an unprotected ref from leaving something behind that one of a protected ref takes
in. What is left as written (variables, the policy) is the runner's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from shipline.engine.git import GitCall
from shipline.engine.repository import Repository
from shipline.language.pipeline import Pipeline
from shipline.language.wildcards import wildcard_matches
from shipline.protocol import payload as protocol

NO_FILES = "default"
"""What stands for the files where none of them is in the commit."""


def with_keys(compiled: Pipeline, repository: Repository, sha: str) -> Pipeline:
    """The pipeline with each cache's key as a text. Raises GitError where git cannot read the commit."""
    keys = Keys(repository, sha)
    jobs = [
        msgspec.structs.replace(job, cache=[keys.of(cache, index) for index, cache in enumerate(job.cache)])
        if any(isinstance(cache.get("key"), dict) for cache in job.cache)
        else job
        for job in compiled.jobs
    ]
    return msgspec.structs.replace(compiled, jobs=jobs)


class Keys:
    """Computes keys from the files of one commit; each list of files is looked at once."""

    def __init__(self, repository: Repository, sha: str) -> None:
        self._repository = repository
        self._sha = sha
        self._files: list[str] | None = None
        self._digests: dict[tuple[str, ...], str] = {}

    def of(self, cache: dict[str, Any], index: int) -> dict[str, Any]:
        """The cache, which is the `index`-th of its job, with its key as a text."""
        key = cache.get("key")
        if not isinstance(key, dict):
            return cache
        prefix = key.get("prefix")
        parts = [str(index) if prefix is None else str(prefix), self._digest(key)]
        return cache | {"key": "-".join(part for part in parts if part)}

    def _digest(self, key: dict[str, Any]) -> str:
        kind = "files" if key.get("files") else "files_commits"
        names = tuple(dict.fromkeys(name for name in key.get(kind) or () if name.strip()))
        if (kind, *names) not in self._digests:
            found = self._contents(names) if kind == "files" else self._commits(names)
            self._digests[kind, *names] = _digest(found)
        return self._digests[kind, *names]

    def _contents(self, names: Iterable[str]) -> list[str]:
        """The ids of the files' contents."""
        paths = [path for name in names for path in (self._matching(name) if "*" in name else [name.strip("/")])]
        inside = [path for path in paths if ".." not in path.split("/")]
        if not inside:
            return []
        words = ("--literal-pathspecs", "ls-tree", "--full-tree", "-z", self._sha, "--", *inside)
        listed = GitCall(self._repository.path, *words).output(missing=b"")
        return [entry.partition(b"\t")[0].split()[2].decode() for entry in listed.split(b"\0") if entry]

    def _matching(self, pattern: str) -> list[str]:
        if self._files is None:
            self._files = self._repository.files(self._sha)
        return wildcard_matches(pattern, self._files)

    def _commits(self, names: Iterable[str]) -> list[str]:
        """The ids of the commits that last changed the files."""
        calls = [
            GitCall(self._repository.path, "log", "-1", "--format=%H", self._sha, "--", name) for name in names
        ]
        return [call.output(missing=b"").decode().strip() for call in calls]


def _digest(found: list[str]) -> str:
    known = sorted({each for each in found if each})
    import hashlib

    return hashlib.sha1("-".join(known).encode(), usedforsecurity=False).hexdigest() if known else NO_FILES


def caches(
    definitions: Iterable[dict[str, Any]], protected: bool, *, separated: bool = True, index: int | None = None
) -> list[protocol.Cache]:
    """What a runner gets. `separated`: refs that are protected share nothing with those that are not. `index`:
    how often the project's caches have been cleared; what was saved before is not found any more."""
    return [_cache(definition, protected, separated, index) for definition in definitions]


def _cache(definition: dict[str, Any], protected: bool, separated: bool, index: int | None) -> protocol.Cache:
    suffix = f"-{index}" if index else ""
    if separated:
        suffix += "-protected" if protected and not definition.get("unprotect") else "-non_protected"
    return protocol.Cache(
        key=f"{definition['key']}{suffix}",
        paths=definition.get("paths"),
        untracked=definition.get("untracked"),
        policy=definition.get("policy", "pull-push"),
        when=definition.get("when", "on_success"),
        fallback_keys=[f"{key}{suffix}" for key in definition.get("fallback_keys", ())],
    )
