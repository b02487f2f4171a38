"""release and pages: what a job publishes."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from shipline.language.durations import seconds
from shipline.language.entry import Entry, is_strings, one_of, required, text
from shipline.language.values import List, Map, plain

KEYS = ("tag_name", "tag_message", "name", "description", "ref", "released_at", "milestones", "assets")
LINK_KEYS = ("name", "url", "filepath", "direct_asset_path", "link_type")
LINK_TYPES = ("runbook", "package", "image", "other")
BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/]|[/.]$|\.lock$|^@?$|/\.|^\.")
PAGES_KEYS = ("path_prefix", "expire_in", "publish")


def release(entry: Entry) -> dict[str, Any] | None:
    """`release:` as written."""
    if not entry.mapping(*KEYS):
        return None
    for key in ("tag_name", "description"):
        if required(entry, key):
            text(entry, key)
    for key in ("tag_message", "name"):
        text(entry, key)
    ref = text(entry, "ref")
    if ref is not None and BAD_REF.search(ref):
        entry.refuse_key("ref", "must be a valid ref", "a tag, a branch or a commit")
    released_at = text(entry, "released_at")
    if released_at is not None and not is_date(released_at):
        entry.refuse_key("released_at", "must be a valid datetime", "for example 2026-03-15T08:00:00Z")
    milestones = entry.value.get("milestones")
    if milestones is not None and not isinstance(milestones, str) and not is_strings(milestones):
        entry.refuse_key("milestones", "should be an array of strings or a string")
    if entry.value.get("assets") is not None:
        assets(entry.child("assets"))
    found: dict[str, Any] = plain(entry.value)
    if isinstance(milestones, str):
        found["milestones"] = [milestones]
    return found


def is_date(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return "$" in value
    return True


def assets(entry: Entry) -> None:
    if not entry.mapping("links") or not required(entry, "links"):
        return
    links = entry.child("links")
    if not isinstance(links.value, List) or not all(isinstance(item, Map) for item in links.value):
        links.refuse("should be an array of hashes")
        return
    for link in links.items("link"):
        link.only(*LINK_KEYS)
        for key in ("name", "url"):
            if required(link, key):
                text(link, key)
        for key in ("filepath", "direct_asset_path"):
            text(link, key)
        one_of(link, "link_type", LINK_TYPES)


def pages(entry: Entry) -> Any:
    """`pages:`, true, false or a mapping."""
    if isinstance(entry.value, bool):
        return entry.value
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash or a boolean value")
        return None
    entry.only(*PAGES_KEYS)
    for key in ("path_prefix", "publish"):
        text(entry, key)
    expire_in = entry.value.get("expire_in")
    if expire_in is not None and (
        not isinstance(expire_in, str)
        or ("$" not in expire_in and expire_in != "never" and seconds(expire_in) is None)
    ):
        entry.refuse_key("expire_in", "should be a duration", "for example 1 week, or never")
    return plain(entry.value)
