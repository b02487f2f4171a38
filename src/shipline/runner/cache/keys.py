"""What a cache is called: the key that a job's log shows, and the object that it is kept as.

A key is a text that anybody who can push may write. What it becomes has no way out of the project's own place.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from urllib.parse import quote, unquote

import msgspec

from shipline.protocol.payload import JobPayload
from shipline.runner.config import RunnerConfig
from shipline.runner.variables import Variables

HASHED_KEYS = "FF_HASH_CACHE_KEYS"
SUFFIX = ".zip"
LONGEST = 200  # characters of a file's name that are left as they are
_ENCODED = re.compile(r"%2f|%2e|\\", re.IGNORECASE)
_MEANT = {"%2f": "/", "%2e": ".", "\\": "/"}


class Key(msgspec.Struct, frozen=True):
    """`shown` in the log; `stored` in objects' names. `warning`: that it was changed, and how."""

    shown: str
    stored: str
    warning: str = ""


def key_of(written: str, payload: JobPayload, variables: Variables) -> Key:
    """The key that a cache's text stands for; `shown` is empty where nothing is left of it."""
    raw = written or posixpath.join(payload.job_info.name, payload.git_info.ref)
    raw = variables.expand(raw)
    if variables.is_true(HASHED_KEYS):
        return Key(raw, hashlib.sha256(raw.encode("utf-8", "surrogateescape")).hexdigest() if raw else "")
    key = sanitised(raw)
    if key == raw:
        return Key(key, key)
    if not key:
        return Key("", "", f'cache key "{raw}" could not be sanitized')
    return Key(key, key, f'cache key "{raw}" sanitized to "{key}"')


def sanitised(key: str) -> str:
    """The key as a path below its base: no `..`, no empty parts, no space at the end."""
    if not key:
        return ""
    plain = _ENCODED.sub(lambda found: _MEANT[found[0].lower()], key).replace("\0", "")
    path = posixpath.normpath("/" + plain).lstrip("/")
    while path:
        folder, _, last = path.rpartition("/")
        if last.rstrip():
            return posixpath.join(folder, last.rstrip())
        path = folder
    return ""


def object_name(key: Key, payload: JobPayload, config: RunnerConfig) -> str:
    """The object in a bucket."""
    info = payload.job_info
    return f"{bucket_folder(config, info.project_id, info.project_full_path)}/{key.stored}"


def bucket_folder(config: RunnerConfig, project_id: int, project_path: str) -> str:
    """Where a project's caches are in a bucket. A server's are where gitlab-runner has them, so that both find each
    other's; without a server a project has a number on this machine only, so there its path names it."""
    path = config.cache.path.strip("/") if config.cache else ""
    if not config.url:
        return "/".join(part for part in (path, "local", sanitised(project_path)) if part)
    own = "" if config.cache and config.cache.shared else f"runner/{config.short_token}"
    return "/".join(part for part in (path, own, "project", str(project_id)) if part)


def file_name(key: Key, payload: JobPayload, config: RunnerConfig) -> str:
    """The file in a folder: one name, whatever is in the key."""
    name = quote(key.stored, safe=" !$&'()*+,;=:@[]")
    if len(name) > LONGEST:
        name = f"{name[: LONGEST - 65]}-{hashlib.sha256(name.encode()).hexdigest()}"
    return f"{disk_folder(config, payload.job_info.project_id)}/{name}{SUFFIX}"


def disk_folder(config: RunnerConfig, project_id: int) -> str:
    """Where a project's caches are in a folder. Each server's projects have a folder of their own."""
    server = re.sub(r"[^0-9A-Za-z.-]+", "_", config.url.partition("://")[2].strip("/")) or "local"
    return f"{server}/{project_id}"


def shown_key(file: str) -> str:
    """The key of a file's name, for people; of a long one, as much as it has."""
    return unquote(file.removesuffix(SUFFIX))
