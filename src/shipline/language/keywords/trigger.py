"""trigger: a job that starts another pipeline."""

from __future__ import annotations

from typing import Any

from shipline.language.entry import Entry, boolean, is_strings, one_of, required, text
from shipline.language.values import List, Map, plain

PROJECT_KEYS = ("project", "branch", "strategy", "forward", "inputs")
INCLUDE_KEYS = ("include", "strategy", "forward", "inputs")
STRATEGIES = ("depend", "mirror")
KINDS = ("local", "project", "template", "artifact", "component", "remote")
ITEM_KEYS = (*KINDS, "file", "ref", "job", "inputs", "integrity", "rules")
MAX_INCLUDES = 3


def trigger(entry: Entry) -> dict[str, Any] | None:
    """`trigger:` as a mapping with `project` or `include`."""
    value = entry.value
    if isinstance(value, str):
        if not value.strip():
            entry.refuse("config can't be blank")
            return None
        return {"project": value}
    if not isinstance(value, Map):
        entry.refuse("has to be either a string or a hash")
        return None
    if "include" in value:
        entry.only(*INCLUDE_KEYS)
        include(entry.child("include"))
    else:
        entry.only(*PROJECT_KEYS)
        if required(entry, "project"):
            text(entry, "project")
        text(entry, "branch")
    one_of(entry, "strategy", STRATEGIES)
    if entry.value.get("forward") is not None:
        forward(entry.child("forward"))
    if value.get("inputs") is not None and not isinstance(value["inputs"], Map):
        entry.refuse_key("inputs", "should be a hash")
    found: dict[str, Any] = plain(value)
    if isinstance(value.get("include"), List):
        found["include"] = [plain(item.value) for item in entry.child("include").flat_items()]
    return found


def forward(entry: Entry) -> None:
    if entry.mapping("yaml_variables", "pipeline_variables"):
        boolean(entry, "yaml_variables")
        boolean(entry, "pipeline_variables")


def include(entry: Entry) -> None:
    """`trigger:include`, a path or up to three sources of a child's file."""
    value = entry.value
    if isinstance(value, str):
        if not value.strip():
            entry.refuse("config can't be blank")
        return
    if isinstance(value, Map):
        source(entry)
        return
    if not isinstance(value, List):
        entry.refuse("config should be a hash, a string or an array")
        return
    if len(value) > MAX_INCLUDES:
        entry.refuse(f"config is too long (maximum is {MAX_INCLUDES})")
    for item in entry.flat_items():
        if not isinstance(item.value, str):
            source(item)


def source(entry: Entry) -> None:
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash or a string")
        return
    entry.only(*ITEM_KEYS)
    kinds = [kind for kind in KINDS if kind in entry.value]
    if len(kinds) > 1:
        entry.refuse(f"config these keys cannot be used together: {', '.join(kinds)}")
    if "artifact" in entry.value and entry.value.get("job") is None:
        entry.refuse("config must specify the job where to fetch the artifact from")
    if "project" in entry.value and entry.value.get("file") is None:
        entry.refuse("config must specify the file where to fetch the config from")
    for key in (*KINDS, "job", "ref"):
        text(entry, key)
    file = entry.value.get("file")
    if file is not None and not isinstance(file, str) and not is_strings(file):
        entry.refuse_key("file", "should be a string")


def artifact_jobs(value: dict[str, Any]) -> list[str]:
    """The jobs whose artifacts a trigger's include reads."""
    items = value.get("include") if isinstance(value, dict) else None
    listed = items if isinstance(items, list) else [items]
    found = (item.get("job") for item in listed if isinstance(item, dict) and "artifact" in item)
    return [name for name in found if isinstance(name, str)]
