"""Where a function is: what stands after `func:` (or `step:`, its older name).

A folder: `./functions/build`, `/opt/functions/build`, with or without a file's name. A git repository:
`gitlab.com/group/project@v1`, `...project/-/build@v1` (below the repository's folder `steps`), or with `git:` and
its parts. Anything else is an image in a registry.
"""

from __future__ import annotations

from typing import Any

import msgspec

from shipline.runner.functions.errors import FunctionError

FILES = ("func.yml", "step.yml")
IN_REPOSITORY = "steps"
ONLY = "functions are taken from folders and git repositories here, not from images of a registry"


class Folder(msgspec.Struct, frozen=True):
    """A folder of the job; a relative one is beside who calls. `files`: names that the definition may have."""

    path: str
    files: tuple[str, ...] = FILES


class Repository(msgspec.Struct, frozen=True):
    """A folder of a git repository at a branch, tag or commit. The address may hold a login: it is a secret."""

    url: str
    revision: str
    folder: Folder


def reference(written: Any) -> Folder | Repository:
    """Reads a reference whose expressions have been worked out. Raises FunctionError."""
    if isinstance(written, str):
        return _short(written.strip())
    git = written.get("git") if isinstance(written, dict) else None
    if not isinstance(git, dict):
        raise FunctionError(f"`oci`: {ONLY}")
    url, revision = str(git.get("url") or ""), str(git.get("rev") or "")
    file = git.get("file")
    return _repository(url, revision, Folder(str(git.get("dir") or "."), (str(file),) if file else FILES))


def _short(text: str) -> Folder | Repository:
    if text.startswith((".", "/")):
        return _folder(text)
    address, at, revision = text.rpartition("@")
    if not at or revision.startswith("sha256:") or "/" not in address or " " in text:
        raise FunctionError(f"{text!r}: {ONLY}")
    url, _, inside = address.partition("/-/")
    below = _folder(inside) if inside else Folder("")
    return _repository(url, revision, Folder(f"{IN_REPOSITORY}/{below.path}".rstrip("/"), below.files))


def _repository(url: str, revision: str, folder: Folder) -> Repository:
    if not url or not revision or revision.startswith("-") or url.startswith("-"):
        raise FunctionError("a git repository needs its `url` and a `rev`: a branch, a tag or a commit")
    parts = folder.path.split("/")
    if folder.path.startswith("/") or ".." in parts:
        raise FunctionError(f"{folder.path!r} leads out of the repository")
    return Repository(url if "://" in url else f"https://{url}", revision, folder)


def _folder(path: str) -> Folder:
    folder, slash, file = path.rpartition("/")
    if file.endswith((".yml", ".yaml")):
        return Folder(folder or slash or ".", (file,))
    return Folder(path)
