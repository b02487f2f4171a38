"""The top level of a file: defaults, stages, variables, workflow, and the jobs."""

from __future__ import annotations

from typing import Any

import msgspec

from shipline.language.entry import Entry, did_you_mean
from shipline.language.findings import Finding, finding
from shipline.language.keywords.job import KEYWORDS, JobConfig, Known, job, tags
from shipline.language.keywords.variables import Written, variables
from shipline.language.keywords.workflow import Workflow, workflow
from shipline.language.values import List, Map, Place

RESERVED = (
    "default",
    "include",
    "image",
    "services",
    "before_script",
    "after_script",
    "cache",
    "variables",
    "stages",
    "workflow",
)
NOT_ALWAYS = ("default", "workflow")
OLD_DEFAULTS = ("image", "services", "before_script", "after_script", "cache")
DEFAULT_KEYS = (
    "before_script",
    "image",
    "services",
    "after_script",
    "cache",
    "interruptible",
    "timeout",
    "retry",
    "tags",
    "artifacts",
    "hooks",
    "id_tokens",
    "identity",
)
DEFAULT_STAGES = ["build", "test", "deploy"]
FIRST, LAST = ".pre", ".post"
MAX_JOB_NAME = 255


class Root(msgspec.Struct):
    """A whole configuration after includes and extends. `defaults` in normal form, their places in `default_at`."""

    jobs: list[JobConfig] = []
    defaults: dict[str, Any] = {}
    default_at: dict[str, Place] = {}
    stages: list[str] = []
    variables: list[Written] = []
    workflow: Workflow = msgspec.field(default_factory=Workflow)
    names_at: dict[str, Place] = {}


def root(config: Map, findings: list[Finding]) -> Root:
    """Reads the merged configuration; what is wrong goes to findings."""
    entry = Entry(config, config.place, "", findings)
    found = Root(stages=stages(top(entry, "stages")))
    defaults(entry, found)
    found.variables = variables(top(entry, "variables"), "global")
    if not is_job(config.get("workflow")):
        found.workflow = workflow(top(entry, "workflow"))
    found.jobs = jobs(entry)
    found.names_at = config.keys_at
    return found


def top(entry: Entry, key: str) -> Entry:
    config: Map = entry.value
    return Entry(config.get(key), config.at(key), key, entry.findings)


def stages(entry: Entry) -> list[str]:
    """The stages in order, `.pre` first and `.post` last."""
    value = entry.value
    if value is None:
        return [FIRST, *DEFAULT_STAGES, LAST]
    flat: list[str] = []
    if not isinstance(value, List) or not flatten(value, flat):
        entry.refuse("config should be an array of strings")
        return [FIRST, *DEFAULT_STAGES, LAST]
    return [FIRST, *dict.fromkeys(name for name in flat if name not in (FIRST, LAST)), LAST]


def flatten(items: List, into: list[str]) -> bool:
    for item in items:
        if isinstance(item, str):
            into.append(item)
        elif not (isinstance(item, List) and flatten(item, into)):
            return False
    return True


def is_job(value: Any) -> bool:
    return isinstance(value, Map) and any(key in value for key in ("script", "run", "trigger"))


def defaults(entry: Entry, found: Root) -> None:
    """`default:` and the older top-level keywords that mean the same."""
    config: Map = entry.value
    block = config.get("default")
    if block is not None and not is_job(block):
        default = top(entry, "default")
        if default.mapping(*DEFAULT_KEYS):
            for key in DEFAULT_KEYS:
                if block.get(key) is not None:
                    take(default.child(key), key, found)
            for key in OLD_DEFAULTS:
                if block.get(key) is not None and config.get(key) is not None:
                    entry.findings.append(clash(key, config.key_at(key)))
    for key in OLD_DEFAULTS:
        if config.get(key) is not None:
            take(top(entry, key), key, found)


def clash(key: str, place: Place) -> Finding:
    return finding(
        f"{key} is defined in top-level and `default:` entry", place, f"keep the one in `default: {key}:`"
    )


def take(entry: Entry, key: str, found: Root) -> None:
    value = tags(entry) if key == "tags" else KEYWORDS[key](entry)
    if value is not None:
        found.defaults[key] = value
        found.default_at[key] = entry.place


def jobs(entry: Entry) -> list[JobConfig]:
    """Every visible job. At least one is needed."""
    config: Map = entry.value
    found = []
    known: Known = {}
    visible = 0
    for name, value, key_at, value_at in config.entries():
        if name in RESERVED and not (name in NOT_ALWAYS and is_job(value)):
            continue
        if isinstance(name, str) and name.startswith("."):
            continue
        visible += 1
        if not good_name(entry, name, key_at):
            continue
        if not is_job(value):
            entry.findings.append(no_job(name, value, key_at))
            continue
        found.append(job(Entry(value, value_at, f"jobs:{name}", entry.findings), name, known))
    if not visible:
        Entry(config, config.place, "jobs", entry.findings).refuse("config should contain at least one visible job")
    return found


def no_job(name: str, value: Any, place: Place) -> Finding:
    hint = did_you_mean(name, RESERVED)
    if isinstance(value, Map):
        hint = next((did_you_mean(key, ("script", "trigger")) for key in value), None) or hint
    return finding(f"jobs {name} config should implement the script:, run:, or trigger: keyword", place, hint)


def good_name(entry: Entry, name: Any, place: Place) -> bool:
    jobs_entry = Entry(entry.value, place, "jobs", entry.findings)
    if not isinstance(name, str):
        shown = str(name).lower() if isinstance(name, bool) else "null" if name is None else name
        jobs_entry.refuse(f"{shown} name should be a symbol", hint=f'put it in quotes: "{shown}"')
        return False
    if not name.strip():
        jobs_entry.refuse("config job name can't be blank")
        return False
    if len(name) > MAX_JOB_NAME:
        Entry(None, place, f"jobs:{name[:40]}...", entry.findings).refuse(
            f"name is too long (maximum is {MAX_JOB_NAME} characters)"
        )
        return False
    return True
