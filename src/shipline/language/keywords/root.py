"""The top level of a file: defaults, stages, variables, workflow, and the jobs."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from shipline.language.entry import Entry, did_you_mean
from shipline.language.findings import UNDEFINED, Finding, finding
from shipline.language.keywords.inherit import DEFAULT_KEYS
from shipline.language.keywords.job import ALLOWED, KEYWORDS, JobConfig, Known, job, mirrors, tags
from shipline.language.keywords.variables import Written, variables
from shipline.language.keywords.workflow import Workflow, workflow
from shipline.language.remedies import belongs
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
DEFAULT_STAGES = ["build", "test", "deploy"]
FIRST, LAST = ".pre", ".post"
MAX_JOB_NAME = 255
MAX_NESTING = 10
PLAIN_COMMAND = re.compile(r"[\w ./-]{1,60}")
NO_SPACE = re.compile(r"(\w+):\S")


class Root(msgspec.Struct):
    """A whole configuration after includes and extends. `defaults` in normal form, their places in `default_at`."""

    jobs: list[JobConfig] = []
    defaults: dict[str, Any] = {}
    default_at: dict[str, Place] = {}
    stages: list[str] = []
    variables: list[Written] = []
    workflow: Workflow = msgspec.field(default_factory=Workflow)
    names_at: dict[str, Place] = {}


def root(config: Map, findings: list[Finding], partial: bool = False) -> Root:
    """Reads the merged configuration; what is wrong goes to findings. `partial`: a job may go on elsewhere."""
    entry = Entry(config, config.place, "", findings)
    found = Root(stages=stages(top(entry, "stages")))
    defaults(entry, found)
    found.variables = variables(top(entry, "variables"), "global")
    if not is_job(config.get("workflow")):
        found.workflow = workflow(top(entry, "workflow"))
    found.jobs = jobs(entry, partial)
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
        entry.refuse("config should be an array of strings or a nested array of strings up to 10 levels deep")
        return [FIRST, *DEFAULT_STAGES, LAST]
    return [FIRST, *dict.fromkeys(name for name in flat if name not in (FIRST, LAST)), LAST]


def flatten(items: List, into: list[str], depth: int = 1) -> bool:
    for item in items:
        if isinstance(item, str):
            into.append(item)
        elif not (isinstance(item, List) and depth < MAX_NESTING and flatten(item, into, depth + 1)):
            return False
    return True


def is_job(value: Any) -> bool:
    if not isinstance(value, Map):
        return False
    return any(key in value for key in ("script", "run", "trigger")) or mirrors(value)


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


def jobs(entry: Entry, partial: bool) -> list[JobConfig]:
    """Every visible job. At least one is needed."""
    config: Map = entry.value
    found = []
    known: Known = {}
    visible = 0
    for name, value, key_at, value_at in config.entries():
        if name in RESERVED and not (name in NOT_ALWAYS and is_job(value)):
            continue
        if isinstance(name, str) and name.startswith("."):
            if value is False or value in (None, "", [], {}) or (isinstance(value, str) and not value.strip()):
                hidden = Entry(value, key_at, f"jobs:{name}", entry.findings)
                hidden.refuse(
                    "config can't be blank", hint="a template holds something: remove it", check=UNDEFINED
                )
            continue
        visible += 1
        if not good_name(entry, name, key_at):
            continue
        if not is_job(value) and not (partial and isinstance(value, Map)):
            entry.findings.append(no_job(name, value, key_at))
            continue
        found.append(job(Entry(value, value_at, f"jobs:{name}", entry.findings), name, known))
    if not visible:
        hint = "a job is a name with `script:` under it; one that begins with a dot is only a template"
        jobs_entry = Entry(config, config.place, "jobs", entry.findings)
        jobs_entry.refuse("config should contain at least one visible job", hint=hint, check=UNDEFINED)
    return found


def no_job(name: str, value: Any, place: Place) -> Finding:
    text = f"jobs {name} config should implement the script:, run:, or trigger: keyword"
    return finding(text, place, job_advice(name, value), check=UNDEFINED)


def job_advice(name: str, value: Any) -> str | None:
    """What to do about something at the top level that is no job."""
    if name == "spec":
        return "`spec:` is a header of its own: end it with a line `---`"
    if name in ("jobs", "on", "runs-on"):
        return f"jobs stand at the top level of the file, each under its name: there is no `{name}:`"
    if word := belongs(name, RESERVED):
        return word
    if isinstance(value, Map):
        unknown = [key for key in value if key not in ALLOWED]
        near = next(
            (hint for key in unknown if (hint := did_you_mean(key, ("script", "trigger", "extends")))), None
        )
        near = near or did_you_mean(name, (*RESERVED, "spec"))
        near = near or next((hint for key in unknown if (hint := belongs(key, ALLOWED))), None)
        return near or f"give it a `script:`; if it is only a template, call it `.{name}`"
    if name in ALLOWED and name not in RESERVED:
        near = "did you mean `stages`?" if name == "stage" and isinstance(value, List) else None
        return near or f"`{name}` belongs to a job: indent it under the job's name"
    if near := did_you_mean(name, RESERVED):
        return near
    if value is None:
        return "nothing stands under it: a job's keywords are indented"
    if isinstance(value, str) and (joined := NO_SPACE.match(value)):
        return f"a space is missing after `{joined[1]}:`"
    if isinstance(value, str) and PLAIN_COMMAND.fullmatch(value):
        return f"{name}: {{script: {value}}}"
    return "a job is a mapping: under its name stand `script:` and other keywords, none behind a dash"


def good_name(entry: Entry, name: Any, place: Place) -> bool:
    if not isinstance(name, str):
        shown = str(name).lower() if isinstance(name, bool) else "null" if name is None else name
        hint = f'put it in quotes: "{shown}"'
        Entry(name, place, f"jobs:{shown}", entry.findings).refuse("name should be a symbol", hint=hint)
        return False
    if not name.strip():
        Entry(name, place, "jobs:job", entry.findings).refuse("name can't be blank")
        return False
    if len(name) > MAX_JOB_NAME:
        Entry(None, place, f"jobs:{name[:40]}...", entry.findings).refuse(
            f"name is too long (maximum is {MAX_JOB_NAME} characters)"
        )
        return False
    return True
