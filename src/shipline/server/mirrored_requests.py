"""Merge requests of a repository elsewhere, as its webhooks tell of them: GitLab's `merge_request`, GitHub's (and
Gitea's) `pull_request`.

Only those between branches of the mirrored repository itself: the branches of others are not fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from shipline.server.merge_requests import is_draft

LONGEST_TITLE = 255


class Told(msgspec.Struct, frozen=True):
    """What a webhook says of a merge request there."""

    source: str
    target: str
    title: str
    description: str
    labels: list[str]
    state: Literal["opened", "closed", "merged"]


def told_of(headers: Mapping[str, str], body: bytes) -> Told | None:
    """What an event says of a merge request between branches of one repository; None for other events."""
    try:
        values = msgspec.json.decode(body)
        if headers.get("x-gitlab-event") == "Merge Request Hook":
            return _of_gitlab(values)
        if headers.get("x-github-event") == "pull_request":
            return _of_github(values)
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError):
        return None
    return None


def _of_gitlab(values: dict[str, Any]) -> Told | None:
    own = values["object_attributes"]
    if own["source_project_id"] != own["target_project_id"]:
        return None
    labels = [label["title"] for label in values.get("labels") or own.get("labels") or []]
    state = {"merged": "merged", "closed": "closed"}.get(own["state"], "opened")
    return _told(own["source_branch"], own["target_branch"], own["title"], own.get("description"), labels, state)


def _of_github(values: dict[str, Any]) -> Told | None:
    own = values["pull_request"]
    head, base = own["head"], own["base"]
    if (head.get("repo") or {}).get("id") != base["repo"]["id"]:
        return None
    state = "opened" if own["state"] == "open" else "merged" if own.get("merged") else "closed"
    title = f"Draft: {own['title']}" if own.get("draft") and not is_draft(own["title"]) else own["title"]
    labels = [label["name"] for label in own.get("labels") or []]
    return _told(head["ref"], base["ref"], title, own.get("body"), labels, state)


def _told(source: str, target: str, title: str, description: str | None, labels: list[str], state: str) -> Told:
    values = {"source": source, "target": target, "title": title[:LONGEST_TITLE], "description": description or ""}
    return msgspec.convert(values | {"labels": labels, "state": state}, Told)
