"""Why a job is what it is: where each value came from, what each rule said, how each variable got its value."""

from __future__ import annotations

from typing import Any

import msgspec

from shipline.language.compiler import Compilation, run
from shipline.language.conditions import Verdict, verdicts
from shipline.language.context import Context
from shipline.language.entry import did_you_mean
from shipline.language.expansion import expand_all, references
from shipline.language.findings import refuse
from shipline.language.job_variables import by_name, written_variables
from shipline.language.jobs import DECIDED_BY_RULES, Builder
from shipline.language.keywords.job import JobConfig
from shipline.language.loader import Loader, MemoryLoader
from shipline.language.masking import hidden, secrets
from shipline.language.matrix import Instance
from shipline.language.pipeline import Job, Pipeline, Variable
from shipline.language.policies import DEFAULT_ONLY, admitted
from shipline.language.presentation import job_data
from shipline.language.values import NOWHERE, Place

LEVELS = ("predefined", "global", "workflow", "job", "matrix", "rules", "instance", "group", "project", "pipeline")


class ValueOrigin(msgspec.Struct, frozen=True):
    """One value of a job: what it is, where a file has it, and through what it came to the job."""

    key: str
    value: Any
    place: Place
    via: str


class VariableTrace(msgspec.Struct, frozen=True):
    """One variable of a job. `written` is the value before expansion; `overridden` what it won over, strongest
    first; `reads` the variables that its value names.
    """

    key: str
    value: str
    written: str
    level: str
    place: Place = NOWHERE
    overridden: list[Variable] = []
    reads: list[str] = []


class Explanation(msgspec.Struct, frozen=True):
    """All that is known about one job in given circumstances; `job` is None where it is not added."""

    name: str
    added: bool
    why: str
    place: Place
    job: Job | None = None
    values: list[ValueOrigin] = []
    rules: list[Verdict] = []
    workflow: list[Verdict] = []
    variables: list[VariableTrace] = []
    bases: list[str] = []


def explain(text: str, context: Context, name: str, loader: Loader | None = None) -> Explanation:
    """What makes a job what it is. Raises LanguageError for a wrong file and for a name that no job has."""
    done = Compilation(context)
    run(done, text, loader or MemoryLoader())
    return explained(done, name)


def explained(done: Compilation, name: str) -> Explanation:
    """The explanation of one job of a compilation; the name is a written one or an instance's."""
    found = unmasked(done, name)
    values = secrets(done.context)
    return msgspec.structs.replace(
        found,
        why=hidden(found.why, values),
        rules=[msgspec.structs.replace(item, why=hidden(item.why, values)) for item in found.rules],
        workflow=[msgspec.structs.replace(item, why=hidden(item.why, values)) for item in found.workflow],
    )


def unmasked(done: Compilation, name: str) -> Explanation:
    """The same, in whose reasons the values of masked variables may stand."""
    if done.root is None or done.pipeline is None:
        raise refuse("there is no pipeline to explain")
    workflow = done.workflow_verdicts()
    config = next((job for job in done.root.jobs if job.name == name), None)
    if done.builder is None:
        at = done.root.names_at.get(name, NOWHERE)
        return Explanation(name, False, "workflow:rules make no pipeline here", at, workflow=workflow)
    builder = done.builder
    owner = builder.graph.owner.get(name)
    if config is None and owner is not None:
        config = builder.graph.configs[owner]
    if config is None:
        known = list(dict.fromkeys([*(job.name for job in done.root.jobs), *builder.graph.owner]))
        raise refuse(
            f"there is no job `{name}`", hint=did_you_mean(name, known) or f"there are: {', '.join(known)}"
        )
    instances = builder.graph.instances[config.name]
    if not instances:
        at = done.root.names_at[config.name]
        return Explanation(
            name, False, "its parallel:matrix has no rows: it stands for no job", at, workflow=workflow
        )
    instance = next((item for item in instances if item.name == name), instances[0])
    return of_instance(done, builder, config, instance, workflow)


def of_instance(
    done: Compilation, builder: Builder, config: JobConfig, instance: Instance, workflow: list[Verdict]
) -> Explanation:
    pipeline: Pipeline = done.pipeline or Pipeline([], [])
    own, written = builder.variables(config, instance)
    circumstances = builder.circumstances(own, written)
    seen = builder.everything(own, written)
    job = next((item for item in pipeline.jobs if item.name == instance.name), None)
    tried = verdicts(config.rules, circumstances) if config.rules is not None else []
    shown = job or builder.job(config, instance)
    return Explanation(
        name=instance.name,
        added=job is not None,
        why=reason(builder, config, job, tried, seen),
        place=builder.root.names_at[config.name],
        job=job,
        values=value_origins(done, builder, config, shown),
        rules=tried,
        workflow=workflow,
        variables=traces([*losers(done, config), *(job.variables if job else seen)]),
        bases=done.bases.get(config.name, []),
    )


def reason(
    builder: Builder, config: JobConfig, job: Job | None, tried: list[Verdict], variables: list[Variable]
) -> str:
    """In a few words why a job is in the pipeline or not."""
    matched = next((item for item in tried if item.matched), None)
    if matched is not None:
        number = tried.index(matched) + 1
        outcome = (
            "never: the job is kept out" if (matched.rule.when or config.get("when")) == "never" else "it is added"
        )
        return f"rule {number} matches ({matched.why}): {outcome}"
    if config.rules is not None:
        return "no rule matches"
    if config.get("only") is None and config.get("except") is None:
        if job is not None:
            return "it has no rules, only or except: it is added to every pipeline for branches and tags"
        return "it has no rules, only or except: it is for branches and tags only"
    only = config.get("only") or (DEFAULT_ONLY if builder.root.workflow.rules is None else None)
    return admitted(only, config.get("except"), builder.context, by_name(variables))[1]


def value_origins(done: Compilation, builder: Builder, config: JobConfig, job: Job | None) -> list[ValueOrigin]:
    """Each value of a job with its place and the way that it took."""
    data = job_data(job) if job else dict(config.values)
    places = job.places if job else config.source.values_at
    found = []
    for key, value in data.items():
        if key == "variables":
            continue
        place = places.get(key, NOWHERE)
        found.append(ValueOrigin(key, value, place, way(done, builder, config, key, place)))
    return found


def way(done: Compilation, builder: Builder, config: JobConfig, key: str, place: Place) -> str:
    """`default`, `extends .base`, `rule`, `the job itself` or `GitLab's default`."""
    if not place.line:
        return "GitLab's default"
    if key not in config.source and key in builder.root.default_at:
        return "default"
    owner = done.owner(place)
    if owner == config.name or owner is None:
        return "rules" if key in DECIDED_BY_RULES and done.is_rule(config, place) else "the job itself"
    chain = path_to(done.bases, config.name, owner)
    return f"extends {' -> '.join(chain)}" if chain else f"!reference or anchor of {owner}"


def path_to(bases: dict[str, list[str]], name: str, owner: str) -> list[str]:
    """The names from a job's base to the one that has the value."""
    waiting: list[list[str]] = [[base] for base in reversed(bases.get(name, []))]
    while waiting:
        path = waiting.pop(0)
        if path[-1] == owner:
            return path
        waiting += [[*path, base] for base in reversed(bases.get(path[-1], []))]
    return []


def losers(done: Compilation, config: JobConfig) -> list[Variable]:
    """Variables of the file that a job would have had if a nearer level had not set them."""
    if done.root is None or (config.get("inherit") or {}).get("variables", True) is False:
        return []
    top = written_variables(done.root.variables, "global")
    own = written_variables(config.variables, "job")
    won = done.workflow_rule.variables if done.workflow_rule else []
    return [*top.values(), *written_variables(won, "workflow").values(), *own.values()]


def showable(variable: Variable) -> Variable:
    """The variable as it may be shown, alone and inside others."""
    return msgspec.structs.replace(variable, value="[MASKED]") if variable.masked else variable


def traces(variables: list[Variable]) -> list[VariableTrace]:
    """Every variable with the level that won, what it won over, and its value after expansion."""
    levels: dict[str, list[Variable]] = {}
    for variable in variables:
        found = levels.setdefault(variable.key, [])
        found[:] = [other for other in found if other.level != variable.level or other.value != variable.value]
        found.append(variable)
    shown = {key: showable(found[-1]) for key, found in levels.items()}
    final = {item.key: item.value for item in expand_all(list(shown.values()), keep_undefined=True)}
    return [
        VariableTrace(
            key,
            final[key],
            shown[key].value,
            found[-1].level,
            found[-1].place,
            list(reversed(found[:-1])),
            references(found[-1]),
        )
        for key, found in levels.items()
    ]
