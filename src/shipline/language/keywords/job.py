"""A job's keywords: which may stand in it, and each in its normal form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from shipline.language.entry import Entry, is_string, one_of, remedy, strings, text
from shipline.language.findings import UNDEFINED
from shipline.language.keywords import (
    artifacts,
    cache,
    containers,
    environment,
    inherit,
    only,
    release,
    retry,
    secrets,
    steps,
    timing,
    trigger,
)
from shipline.language.keywords.job_inputs import job_inputs
from shipline.language.keywords.needs import Needed, needs
from shipline.language.keywords.parallel import parallel
from shipline.language.keywords.rules import Rule, rules
from shipline.language.keywords.scripts import commands, hooks
from shipline.language.keywords.variables import Written, variables
from shipline.language.values import List, Map

COMMON_KEYS = (
    "extends",
    "stage",
    "only",
    "except",
    "rules",
    "variables",
    "inherit",
    "allow_failure",
    "when",
    "needs",
    "resource_group",
    "environment",
    "interruptible",
    "parallel",
    "manual_confirmation",
    "inputs",
)
JOB_KEYS = (
    *COMMON_KEYS,
    "tags",
    "script",
    "run",
    "image",
    "services",
    "start_in",
    "artifacts",
    "cache",
    "dependencies",
    "before_script",
    "after_script",
    "hooks",
    "coverage",
    "retry",
    "timeout",
    "release",
    "id_tokens",
    "publish",
    "pages",
    "secrets",
    "identity",
    "dast_configuration",
)
BRIDGE_KEYS = (*COMMON_KEYS, "trigger")
ALLOWED = frozenset(JOB_KEYS)
BRIDGE_ALLOWED = frozenset(BRIDGE_KEYS)
JOB_WHEN = ("on_success", "on_failure", "always", "manual", "delayed")
BRIDGE_WHEN = ("on_success", "on_failure", "always", "manual")
MAX_TAGS = 50

KEYWORDS: dict[str, Callable[[Entry], Any]] = {
    "before_script": commands,
    "script": commands,
    "after_script": commands,
    "hooks": hooks,
    "image": containers.image,
    "services": containers.services,
    "cache": cache.caches,
    "artifacts": artifacts.artifacts,
    "retry": retry.retry,
    "environment": environment.environment,
    "release": release.release,
    "secrets": secrets.secrets,
    "id_tokens": secrets.id_tokens,
    "identity": secrets.identity,
    "run": steps.steps,
    "only": only.policy,
    "except": only.policy,
    "inputs": job_inputs,
    "timeout": timing.timeout,
    "coverage": timing.coverage,
    "interruptible": timing.interruptible,
    "allow_failure": retry.allow_failure,
    "dast_configuration": secrets.dast_configuration,
    "inherit": inherit.inherit,
}


class JobConfig(msgspec.Struct):
    """A job as written, after extends. `values` holds keywords in normal form; what is missing is not there.

    `source` is the mapping itself, for the places of its keys.
    """

    name: str
    source: Map
    values: dict[str, Any] = {}
    variables: list[Written] = []
    rules: list[Rule] | None = None
    needs: list[Needed] | None = None
    parallel: int | list[dict[str, list[str]]] | None = None

    @property
    def bridge(self) -> bool:
        """Whether the job starts another pipeline, or mirrors one, instead of running a script."""
        return "trigger" in self.values or any(need.pipeline and not need.job for need in self.needs or [])

    def get(self, key: str) -> Any:
        """A keyword's normal form, or None."""
        return self.values.get(key)


Known = dict[tuple[str, int], Any]


def job(entry: Entry, name: str, known: Known) -> JobConfig:
    """A job from its mapping, which has `script`, `run` or `trigger`.

    `known` keeps what was read without a complaint: jobs that extend one another share their values, and each
    value is read once.
    """
    source: Map = entry.value
    found = JobConfig(name, source)
    bridge = "trigger" in source or mirrors(source)
    pairs = (("script", "trigger"), ("run", "trigger"), ("script", "run"))
    if not all(entry.together(*pair) for pair in pairs):
        return found
    entry.only_of(BRIDGE_ALLOWED if bridge else ALLOWED)
    for key in source:
        if key in KEYWORDS and source[key] is not None:
            value = shared(entry, key, known, KEYWORDS[key])
            if value is not None:
                found.values[key] = value
    simple_keywords(entry, found)
    check_script(entry, bridge)
    if "variables" in source:
        found.variables = shared(entry, "variables", known, job_variables)
    if "rules" in source:
        found.rules = shared(entry, "rules", known, job_rules)
    if "needs" in source:
        found.needs = needs(entry.child("needs"), bridge=bridge)
    if "parallel" in source:
        found.parallel = parallel(entry.child("parallel"), bridge)
    if bridge and isinstance(source.get("allow_failure"), Map):
        entry.refuse_key("allow_failure", "should be a boolean value", "a trigger job has no exit code")
    if "trigger" in source:
        found.values["trigger"] = trigger.trigger(entry.child("trigger"))
    check_when(entry, found, bridge)
    check_rules(entry)
    check_dependencies(entry, found)
    return found


def shared(entry: Entry, key: str, known: Known, keyword: Callable[[Entry], Any]) -> Any:
    """A keyword's normal form, read anew or taken from another job that has the very same value."""
    spot = (key, id(entry.value[key]))
    if spot in known:
        return known[spot]
    before = len(entry.findings)
    value = keyword(entry.child(key))
    if len(entry.findings) == before:
        known[spot] = value
    return value


def job_variables(entry: Entry) -> list[Written]:
    return variables(entry, "job")


def job_rules(entry: Entry) -> list[Rule] | None:
    return rules(entry, "job")


def simple_keywords(entry: Entry, found: JobConfig) -> None:
    """Keywords that are one text or a list of texts."""
    source: Map = entry.value
    if source.get("stage") is not None:
        stage = entry.child("stage")
        if is_string(stage.value):
            found.values["stage"] = stage.value
        else:
            stage.refuse("config should be a string", hint=remedy("stage", stage.value, is_string))
    for key in ("resource_group", "manual_confirmation", "publish"):
        value = text(entry, key) if source.get(key) is not None else None
        if value is not None and (value or key != "resource_group"):  # a group without a name is none
            found.values[key] = value
    if source.get("tags") is not None and (names := tags(entry.child("tags"))) is not None:
        found.values["tags"] = names
    if source.get("dependencies") is not None and (jobs := strings(entry, "dependencies")) is not None:
        found.values["dependencies"] = jobs
    if source.get("pages") is not None:
        found.values["pages"] = release.pages(entry.child("pages"))
    if source.get("publish") is not None and found.name != "pages" and not source.get("pages"):
        entry.refuse("publish can only be used within a `pages` job", source.key_at("publish"))
    extends = source.get("extends")
    if extends is not None and not is_string(extends) and not isinstance(extends, list):
        entry.refuse_key("extends", "should be an array of strings or a string")


def tags(entry: Entry) -> list[str] | None:
    """`tags:`, fewer than fifty."""
    if not isinstance(entry.value, list) or not all(isinstance(item, str) for item in entry.value):
        hint = f"tags: [{entry.value}]" if isinstance(entry.value, str) else None
        entry.refuse("config should be an array of strings", hint=hint)
        return None
    if len(entry.value) >= MAX_TAGS:
        entry.refuse(f"config must be less than the limit of {MAX_TAGS} tags")
    return list(entry.value)


def mirrors(source: Map) -> bool:
    """Whether a job stands for the status of another project's pipeline: it needs that, and does nothing itself."""
    if any(key in source for key in ("script", "run", "trigger")):
        return False
    needs = source.get("needs")
    items = needs if isinstance(needs, List) else [needs]
    return any(isinstance(item, Map) and "pipeline" in item and "job" not in item for item in items)


def check_script(entry: Entry, bridge: bool) -> None:
    source: Map = entry.value
    if bridge:
        return
    if "run" in source:
        for key in ("before_script", "after_script"):
            if key in source:
                entry.refuse(f"config these keys cannot be used together: {key}, run", source.key_at(key))
    elif source.get("script") in (None, "", []):
        entry.refuse_key("script", "can't be blank", "a job needs at least one command", UNDEFINED)


def check_when(entry: Entry, found: JobConfig, bridge: bool) -> None:
    source: Map = entry.value
    when = one_of(entry, "when", BRIDGE_WHEN if bridge else JOB_WHEN)
    if when is not None:
        found.values["when"] = when
    if bridge:
        return
    if when == "delayed" and source.get("start_in") is None:
        entry.refuse_key("start_in", "should be a duration", "when: delayed needs start_in: 30 minutes")
    elif when == "delayed":
        timing.start_in(entry, found.values)
    elif source.get("start_in") is not None:
        entry.refuse_key("start_in", "must be blank", "it belongs to when: delayed")


def check_rules(entry: Entry) -> None:
    source: Map = entry.value
    if source.get("rules") is None:
        return
    clash = [key for key in ("only", "except", "start_in") if source.get(key) is not None]
    if clash:
        hint = None if clash == ["start_in"] else "`rules` takes the place of `only` and `except`: keep one of them"
        entry.refuse(f"config key may not be used with `rules`: {', '.join(clash)}", source.key_at(clash[0]), hint)


def check_dependencies(entry: Entry, found: JobConfig) -> None:
    """Where a job has needs, it may depend on no other job."""
    dependencies = found.get("dependencies")
    if not dependencies or found.needs is None:
        return
    known = {need.job for need in found.needs if not need.project and not need.pipeline}
    if found.needs and not known:
        entry.refuse_key("needs", "corresponding to dependencies must be from the same pipeline")
        return
    missing = [name for name in dependencies if name not in known]
    if missing and found.needs:
        message = f"dependencies the {', '.join(missing)} should be part of needs"
        entry.refuse(message, entry.value.item_at("dependencies", missing[0]))
