"""The variables of one job, every level of them, lowest precedence first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from shipline.language.context import Context
from shipline.language.expansion import expand_all, named, references
from shipline.language.keywords.job import JobConfig
from shipline.language.keywords.variables import Written
from shipline.language.matrix import Instance
from shipline.language.pipeline import Variable
from shipline.language.predefined import environment_slug, slug, user
from shipline.language.scopes import for_environment

ACTIONS = ("manual", "delayed")  # what GitLab calls actions: it gives them CI_JOB_MANUAL
OF_ENVIRONMENT = tuple(f"CI_ENVIRONMENT_{part}" for part in ("NAME", "ACTION", "TIER", "URL", "SLUG"))
TIERS = (
    (re.compile(r"dev|review|trunk", re.I), "development"),
    (re.compile(r"test|tst|int|ac(?:ce)?pt|qa|qc|control|quality", re.I), "testing"),
    (re.compile(r"sta?g|mode?l|pre|demo|non", re.I), "staging"),
    (re.compile(r"pro?d|live", re.I), "production"),
)


def tier(name: str) -> str:
    """The deployment tier that GitLab guesses from an environment's name."""
    return next((word for pattern, word in TIERS if pattern.search(name)), "other")


def outer_variables(context: Context, environment: str | None = None) -> list[Variable]:
    """The levels above the file: who started the pipeline, then instance, groups, project, this pipeline. Some are
    only for jobs of some environments."""
    started_by = [Variable(key, str(value), "predefined") for key, value in user(context).items()]
    levels = (
        ("instance", context.instance_variables),
        ("group", context.group_variables),
        ("project", context.project_variables),
        ("pipeline", context.variables),
    )
    seen = ((level, for_environment(variables, environment)) for level, variables in levels)
    return [*started_by, *(levelled(variable, level) for level, variables in seen for variable in variables)]


def levelled(variable: Variable, level: str) -> Variable:
    if variable.level == level:
        return variable
    return Variable(
        variable.key, variable.value, level, variable.file, variable.masked, variable.raw, variable.public
    )


def written_variables(written: Iterable[Written], level: str) -> dict[str, Variable]:
    """Variables of a file by name."""
    return {item.key: Variable(item.key, item.value, level, raw=item.raw, place=item.place) for item in written}


def yaml_variables(top: dict[str, Variable], config: JobConfig, instance: Instance) -> dict[str, Variable]:
    """What the file itself gives a job: top level as far as inherited, its own, its matrix row."""
    inherit = (config.get("inherit") or {}).get("variables", True)
    if inherit is True:
        found = dict(top)
    elif inherit is False:
        found = {}
    else:
        found = {key: top[key] for key in inherit if key in top}
    found |= written_variables(config.variables, "job")
    place = config.source.at("parallel")
    found |= {key: Variable(key, value, "matrix", place=place) for key, value in instance.variables.items()}
    return found


def job_predefined(config: JobConfig, instance: Instance, stage: str, environment_name: str) -> list[Variable]:
    """The predefined variables that belong to one job and are known before its rules are tried."""
    values: dict[str, str] = {
        "CI_JOB_NAME": instance.name,
        "CI_JOB_NAME_SLUG": slug(instance.name),
        "CI_JOB_GROUP_NAME": config.name,
        "CI_JOB_STAGE": stage,
        "CI_NODE_TOTAL": str(instance.total or 1),
    }
    if instance.index is not None:
        values["CI_NODE_INDEX"] = str(instance.index)
    if config.get("when") in ACTIONS:
        values["CI_JOB_MANUAL"] = "true"
    environment = config.get("environment")
    if environment:
        values["CI_ENVIRONMENT_NAME"] = environment_name
        values["CI_ENVIRONMENT_ACTION"] = environment.get("action") or "start"
        values["CI_ENVIRONMENT_TIER"] = environment.get("deployment_tier") or tier(environment_name)
        if environment.get("url"):
            values["CI_ENVIRONMENT_URL"] = environment["url"]
        if "$" not in environment_name:
            values["CI_ENVIRONMENT_SLUG"] = environment_slug(environment_name)
    return [Variable(key, value, "predefined") for key, value in values.items()]


def expander(variables: list[Variable]) -> Callable[[str], dict[str, str]]:
    """Gives, for a text, the expanded values of the variables that it names, and of no others: most jobs have over
    a hundred, and most texts name one.
    """

    def expanded(text: str) -> dict[str, str]:
        known = {variable.key: variable for variable in variables}
        needed: dict[str, Variable] = {}
        waiting = named(text)
        while waiting:
            name = waiting.pop()
            if name in known and name not in needed:
                needed[name] = known[name]
                waiting += references(known[name])
        return {item.key: item.value for item in expand_all(list(needed.values()), keep_undefined=True)}

    return expanded


def by_name(variables: Iterable[Variable]) -> dict[str, str | None]:
    """Values by name, the last of a name winning: what `rules:if` sees."""
    return {variable.key: variable.value for variable in variables}
