"""image and services: a name alone or a mapping."""

from __future__ import annotations

from typing import Any

from shipline.language.entry import Entry, required, strings, text
from shipline.language.keywords.scripts import commands
from shipline.language.keywords.variables import variables
from shipline.language.values import List, Map

IMAGE_KEYS = ("name", "entrypoint", "ports", "pull_policy", "docker", "kubernetes")
SERVICE_KEYS = (
    "name",
    "entrypoint",
    "command",
    "alias",
    "ports",
    "variables",
    "pull_policy",
    "docker",
    "kubernetes",
)
PULL_POLICIES = ("always", "never", "if-not-present")
ENGINE_OPTIONS = {"docker": ("platform", "user"), "kubernetes": ("user",)}


def image(entry: Entry) -> dict[str, Any] | None:
    """`image:` as a mapping with `name`."""
    return None if entry.value is None else container(entry, IMAGE_KEYS)


def container(entry: Entry, known: tuple[str, ...]) -> dict[str, Any] | None:
    """An image or a service: its name, or a mapping of the `known` keys. Gives those that both have."""
    if isinstance(entry.value, str):
        if not entry.value.strip():
            entry.refuse("name can't be blank")
            return None
        check_name(entry, entry.value)
        return {"name": entry.value}
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash or a string")
        return None
    entry.only(*known)
    if "ports" in entry.value:
        entry.refuse("config contains disallowed keys: ports", entry.value.key_at("ports"))
    if not required(entry, "name"):
        return None
    found: dict[str, Any] = {"name": text(entry, "name")}
    check_name(entry.child("name"), found["name"])
    if (entrypoint := strings(entry, "entrypoint")) is not None:
        found["entrypoint"] = entrypoint
    if entry.value.get("pull_policy") is not None and (policy := pull_policy(entry.child("pull_policy"))):
        found["pull_policy"] = policy
    for engine, keys in ENGINE_OPTIONS.items():
        if entry.value.get(engine) is not None:
            found[engine] = options(entry.child(engine), keys)
    return found


def check_name(entry: Entry, name: str | None) -> None:
    """Warns of a name that no image can have, unless variables make it up."""
    if name is not None and "$" not in name and len(name.split()) > 1:
        entry.warn("has a blank in its name, which no image has: name:tag", check="image-name")


def pull_policy(entry: Entry) -> list[str] | None:
    """One policy or a list of them."""
    value = entry.value
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not value:
        entry.refuse("config should be a string or an array of strings", hint=f"one of {', '.join(PULL_POLICIES)}")
        return None
    wrong = [item for item in value if item not in PULL_POLICIES]
    if wrong:
        entry.refuse(f"config contains unknown values: {wrong[0]}", hint=f"one of {', '.join(PULL_POLICIES)}")
        return None
    if len(set(value)) != len(value):
        entry.refuse("config should not have duplicates")
    return list(value)


def options(entry: Entry, keys: tuple[str, ...]) -> dict[str, Any]:
    """`docker:` or `kubernetes:` options of a container."""
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash")
        return {}
    for key, value, key_at, value_at in entry.value.entries():
        if key not in keys:
            entry.refuse(f"config {key} is a disallowed additional property", key_at, f"known: {', '.join(keys)}")
        elif not isinstance(value, str) and not (
            key == "user" and entry.path.endswith(":kubernetes") and is_id(value)
        ):
            entry.refuse(f"config {key} is not a string", value_at)
        elif value == "":
            entry.refuse(f"config {key} can't be blank", value_at)
    return {key: str(value) for key, value in entry.value.items()}


def is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def services(entry: Entry) -> list[dict[str, Any]] | None:
    """`services:` as a list of mappings with `name`, lists inside it taken apart, nulls left out."""
    if entry.value is None:
        return None
    if not isinstance(entry.value, List):
        entry.refuse("config should be a array", hint="a list of images or mappings")
        return None
    found = [service(item) for item in entry.flat_items("service") if item.value is not None]
    return [item for item in found if item is not None]


def service(entry: Entry) -> dict[str, Any] | None:
    """One service."""
    if isinstance(entry.value, Map) and len(entry.value) == 1 and entry.value.keys().isdisjoint(SERVICE_KEYS):
        ((key, value),) = entry.value.items()
        hint = f"an image's tag follows its colon without a space: {key}:{value}"
        entry.refuse(f"config contains unknown keys: {key}", hint=hint)
        return None
    found = container(entry, SERVICE_KEYS)
    if not isinstance(entry.value, Map):
        return found
    alias = text(entry, "alias")
    command = commands(entry.child("command")) if entry.value.get("command") is not None else None
    if found is None:
        return None
    if alias is not None:
        found["alias"] = alias
    if command is not None:
        found["command"] = command
    if entry.value.get("variables") is not None:
        found["variables"] = {item.key: item.value for item in variables(entry.child("variables"), "service")}
    return found
