"""secrets, id_tokens, identity and dast_configuration: credentials that a job gets from elsewhere."""

from __future__ import annotations

from typing import Any

from shipline.language.entry import Entry, boolean, did_you_mean, is_integer, is_strings, required, text
from shipline.language.values import Map, plain

PROVIDERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "vault": (("engine", "path", "field"), ("engine", "path", "field")),
    "gcp_secret_manager": (("name", "version"), ("name",)),
    "azure_key_vault": (("name", "version"), ("name",)),
    "aws_secrets_manager": (
        ("secret_id", "version_id", "version_stage", "region", "role_arn", "role_session_name", "field"),
        ("secret_id",),
    ),
    "gitlab_secrets_manager": (("name", "source"), ("name",)),
}
AS_TEXT = ("vault", "aws_secrets_manager")
IDENTITIES = ("google_cloud",)


def secrets(entry: Entry) -> dict[str, Any] | None:
    """`secrets:` as written, each with exactly one provider."""
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash")
        return None
    for name in entry.value:
        secret(entry.child(name))
    return plain(entry.value)  # type: ignore[no-any-return]


def secret(entry: Entry) -> None:
    if not entry.mapping(*PROVIDERS, "file", "token"):
        return
    boolean(entry, "file")
    text(entry, "token")
    present = [name for name in PROVIDERS if name in entry.value]
    if len(present) != 1:
        entry.refuse(f"config must use exactly one of these keys: {', '.join(PROVIDERS)}")
        return
    provider(entry.child(present[0]), present[0])


def provider(entry: Entry, name: str) -> None:
    if isinstance(entry.value, str) and name in AS_TEXT:
        if not entry.value.strip():
            entry.refuse("config can't be blank")
        return
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash" + (" or a string" if name in AS_TEXT else ""))
        return
    allowed, needed = PROVIDERS[name]
    entry.only(*allowed)
    for key in needed:
        required(entry, key)
    for key in allowed:
        if key == "engine":
            engine(entry)
        elif not (key == "version" and is_integer(entry.value.get(key))):
            text(entry, key)


def engine(entry: Entry) -> None:
    if entry.value.get("engine") is None:
        return
    child = entry.child("engine")
    if child.mapping("name", "path"):
        for key in ("name", "path"):
            if required(child, key):
                text(child, key)


def id_tokens(entry: Entry) -> dict[str, Any] | None:
    """`id_tokens:` as written, each with an audience."""
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash")
        return None
    for name in entry.value:
        token = entry.child(name)
        if token.mapping("aud") and required(token, "aud"):
            audience = token.value["aud"]
            if not isinstance(audience, str) and not is_strings(audience):
                token.refuse_key("aud", "should be an array of strings or a string")
    return plain(entry.value)  # type: ignore[no-any-return]


def identity(entry: Entry) -> str | None:
    """`identity:`, the one provider that GitLab knows."""
    if entry.value not in IDENTITIES:
        hint = did_you_mean(entry.value, IDENTITIES)
        entry.refuse(f"config should be one of: {', '.join(IDENTITIES)}", hint=hint)
        return None
    return str(entry.value)


def dast_configuration(entry: Entry) -> dict[str, Any] | None:
    """`dast_configuration:` as written."""
    if not entry.mapping("site_profile", "scanner_profile"):
        return None
    for key in ("site_profile", "scanner_profile"):
        text(entry, key)
    return dict(entry.value)
