"""Releases: what a project gives out under a tag, with notes and links."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from shipline.engine.errors import EngineError
from shipline.engine.possessions import Release, ReleaseLink
from shipline.engine.records import Commit
from shipline.engine.store import Store
from shipline.language.keywords.release import BAD_REF, LINK_TYPES

_PATH = re.compile(r"[^\s/][^\s]*\Z")
LONGEST_PATH = 1024


def may_be_path(text: str) -> bool:
    """Whether a description may be the path of a file, below the project's folder."""
    return len(text) <= LONGEST_PATH and bool(_PATH.match(text)) and ".." not in text.split("/")


def check_free(store: Store, project_id: int, tag: str) -> None:
    """Raises EngineError when the tag has a release already, or can be none."""
    check_tag(tag)
    if store.possession(project_id, Release, tag) is not None:
        raise EngineError(f"Release already exists: {tag}")


def add(store: Store, project_id: int, release: Release) -> None:
    """Stores a new release. Raises EngineError when its tag has one already."""
    check_free(store, project_id, release.tag)
    store.possess(project_id, release)


def described(written: dict[str, Any], sha: str, now: float, job_id: int | None = None) -> Release:
    """A release from its keywords. Raises EngineError for a tag that is none, a date that is none, links that
    repeat each other."""
    tag = str(written.get("tag_name") or "")
    check_tag(tag)
    links = written.get("assets", {}).get("links") or []
    return Release(
        tag=tag,
        name=written.get("name") or tag,
        sha=sha,
        created_at=now,
        released_at=moment(written.get("released_at")) or now,
        description=written.get("description") or "",
        tag_message=written.get("tag_message"),
        milestones=list(written.get("milestones") or []),
        links=numbered([link(each) for each in links]),
        updated_at=now,
        job_id=job_id,
    )


def check_tag(tag: str) -> None:
    """Raises EngineError unless git could have such a tag."""
    if not tag or BAD_REF.search(tag):
        raise EngineError(f"Tag name invalid: '{tag}'")


def moment(text: str | None) -> float | None:
    """A date and time as Unix seconds. Raises EngineError for what is none."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise EngineError(f"released_at '{text}' is no date: write it as 2026-03-15T08:00:00Z") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def link(written: dict[str, Any]) -> ReleaseLink:
    """A link from its keywords, not numbered yet. Raises EngineError."""
    name, url = str(written.get("name") or ""), str(written.get("url") or "")
    path = written.get("direct_asset_path") or written.get("filepath")
    kind = written.get("link_type") or "other"
    if not name or not re.match(r"(https?|ftp)://", url):
        raise EngineError(f"a link needs a name and an address with http, https or ftp: '{name}' {url}".rstrip())
    if kind not in LINK_TYPES:
        raise EngineError(f"link '{name}': the type {kind} is none of {', '.join(LINK_TYPES)}")
    if path and not re.match(r"/([\w.-]+/)*[\w.-]+\Z", path):
        raise EngineError(f"link '{name}': the path {path} must begin with / and hold letters, digits, . _ - only")
    return ReleaseLink(0, name, url, path, kind)


def numbered(links: list[ReleaseLink]) -> list[ReleaseLink]:
    """The links with numbers. Raises EngineError where two have one name, address or path."""
    check_different(links)
    return [
        ReleaseLink(number, each.name, each.url, each.path, each.link_type) for number, each in enumerate(links, 1)
    ]


def check_different(links: list[ReleaseLink]) -> None:
    """Raises EngineError where two links have one name, address or path."""
    for field in ("name", "url", "path"):
        values = [value for each in links if (value := getattr(each, field))]
        if twice := sorted({value for value in values if values.count(value) > 1}):
            raise EngineError(f"links have duplicate values ({field}): {', '.join(twice)}")


def description_of(store: Store, project_id: int, commit: Commit) -> str | None:
    """What the release of a commit's tag says; None where there is none yet."""
    release = store.possession(project_id, Release, commit.ref) if commit.is_tag else None
    return release.description if release is not None else None
