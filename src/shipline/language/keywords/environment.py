"""environment: where a job deploys to."""

from __future__ import annotations

import re
from typing import Any

from shipline.language.durations import seconds
from shipline.language.entry import Entry, boolean, did_you_mean, required, text
from shipline.language.values import Map, plain

KEYS = ("name", "url", "action", "on_stop", "auto_stop_in", "kubernetes", "deployment_tier")
ACTIONS = ("start", "stop", "prepare", "verify", "access")
TIERS = ("production", "staging", "testing", "development", "other")
KUBERNETES = ("agent", "namespace", "flux_resource_path", "managed_resources", "dashboard")
SHOWN = ("namespace", "flux_resource_path")
MAX_LENGTH = 255
NAME = re.compile(r"(?!/)[a-zA-Z0-9 _./${}\-]+(?<!/)\Z")
NAME_RULE = (
    "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, "
    "but it cannot start or end with '/'"
)


def environment(entry: Entry) -> dict[str, Any] | None:
    """`environment:` as a mapping with `name` and `action`."""
    if isinstance(entry.value, str):
        check_name(entry, entry.value)
        return {"name": entry.value, "action": "start"}
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash or a string")
        return None
    entry.only(*KEYS)
    if required(entry, "name") and (name := text(entry, "name")) is not None:
        check_name(entry, name)
    text(entry, "on_stop")
    if len(text(entry, "url") or "") > MAX_LENGTH:
        entry.refuse_key("url", f"is too long (maximum is {MAX_LENGTH} characters)")
    action = text(entry, "action")
    if action is not None and action not in ACTIONS:
        allowed = "start, stop, prepare, verify, or access"
        entry.refuse_key("action", f"should be {allowed}", did_you_mean(action, ACTIONS))
    tier = text(entry, "deployment_tier")
    if tier is not None and tier not in TIERS and "$" not in tier:
        entry.refuse_key("deployment_tier", f"must be one of {', '.join(TIERS)}", did_you_mean(tier, TIERS))
    check_stop(entry)
    if entry.value.get("kubernetes") is not None:
        kubernetes(entry.child("kubernetes"))
    found = {key: plain(value) for key, value in entry.value.items() if value is not None}
    return {"action": "start", **found}


def is_name(name: str) -> bool:
    """Whether an environment can be called so."""
    return len(name) <= MAX_LENGTH and NAME.match(name) is not None


def check_name(entry: Entry, name: str) -> None:
    if len(name) > MAX_LENGTH:
        entry.refuse(f"name is too long (maximum is {MAX_LENGTH} characters)")
    elif not NAME.match(name):
        entry.refuse(f"name {NAME_RULE}")


def check_stop(entry: Entry) -> None:
    stop = text(entry, "auto_stop_in")
    if stop is not None and "$" not in stop and stop != "never" and seconds(stop) is None:
        place = entry.value.at("auto_stop_in")
        entry.warn(f"auto stop in {stop!r} is no duration: it never stops by itself", place, "auto-stop-in")


def kubernetes(entry: Entry) -> None:
    """`environment:kubernetes`, the agent and what it shows."""
    if not isinstance(entry.value, Map):
        entry.refuse("should be a hash")
        return
    if not entry.value:
        entry.refuse("can't be blank")
        return
    entry.only(*KUBERNETES)
    for key in ("agent", *SHOWN):
        text(entry, key)
    managed = mapping_at(entry, "managed_resources", ("enabled",))
    if managed is not None:
        boolean(managed, "enabled")
    dashboard = mapping_at(entry, "dashboard", SHOWN)
    if dashboard is not None:
        for key in SHOWN:
            text(dashboard, key)
    check_together(entry, managed, dashboard)


def mapping_at(entry: Entry, key: str, allowed: tuple[str, ...]) -> Entry | None:
    """The mapping under `key`, or None where there is none to read."""
    if entry.value.get(key) is None:
        return None
    child = entry.child(key)
    return child if child.mapping(*allowed) else None


def check_together(entry: Entry, managed: Entry | None, dashboard: Entry | None) -> None:
    """Which keys of `kubernetes` need or exclude each other."""
    given = {key for key, value in entry.value.items() if value is not None}
    if "flux_resource_path" in given and "namespace" not in given:
        entry.refuse_key("flux_resource_path", "needs a namespace beside it")
    manages = managed is not None and managed.value.get("enabled") is True
    if "agent" not in given and (manages or {"flux_resource_path", "dashboard"} & given):
        entry.refuse("agent can't be blank")
    for key in SHOWN:
        if dashboard is not None and key in given and dashboard.value.get(key) is not None:
            entry.refuse_key(key, "is also set under dashboard", f"keep only dashboard:{key}")
