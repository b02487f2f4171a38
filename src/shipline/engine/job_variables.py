"""The variables of a job when a runner takes it, in GitLab's order of precedence, expanded as GitLab expands them.

From weakest to strongest: predefined (those of the pipeline, those of the job, and those that exist only now, such
as the job's id and token), the configuration's top-level and the job's own, what earlier jobs have reported, then
what is kept outside the repository: the instance's, group's and project's variables, and what was given to this
pipeline or this start.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from shipline.engine.live import Live
from shipline.engine.records import JobRecord, PipelineVariable, ProjectVariable
from shipline.engine.scopes import is_protected, visible
from shipline.language.expansion import expand, expand_all
from shipline.language.pipeline import Job, Variable
from shipline.language.predefined import STRONGER_THAN_THE_FILE, environment_slug, slug
from shipline.protocol import payload as protocol

OUTSIDE = ("instance", "group", "project", "pipeline")
"""Levels that are read afresh from where they are kept, not from what was compiled."""


class Facts(msgspec.Struct, frozen=True):
    """What a job's variables are made of besides the pipeline: the project's variables, the secrets that are made
    for this one job, and who runs it. `group_variables`: those of each group, the outermost first."""

    project_variables: list[ProjectVariable]
    token: str
    repository_url: str
    runner: str = "shipline"
    runner_tags: tuple[str, ...] = ()
    timeout: int = 3600
    runner_id: int = 1
    instance_variables: tuple[ProjectVariable, ...] = ()
    group_variables: tuple[tuple[ProjectVariable, ...], ...] = ()


def job_variables(
    live: Live, job: JobRecord, facts: Facts, reported: Sequence[PipelineVariable] = ()
) -> list[protocol.Variable]:
    """All variables of the job, weakest first, one a key. `reported`: by the jobs whose artifacts it gets."""
    expanded = expand_all(
        unexpanded(live, job, facts, reported),
        keep_undefined=True,
        expand_file_refs=False,
        expand_raw_refs=False,
    )
    return [protocol.Variable(v.key, v.value, v.public, v.file, v.masked, v.raw) for v in expanded]


def unexpanded(
    live: Live, job: JobRecord, facts: Facts, reported: Sequence[PipelineVariable] = ()
) -> list[Variable]:
    """The same with their values as they were written."""
    definition = live.definitions[job.name]
    written = [v for v in (*live.compiled.predefined, *definition.variables) if v.level not in OUTSIDE]
    predefined = [v for v in written if v.level == "predefined"]
    known = {v.key: v.value for v in predefined}
    own = predefined_of_job(live, definition, job, facts) | persisted(live, job, facts, known)
    everything = [
        *predefined,
        *(Variable(key, value, "predefined") for key, value in own.items()),
        *(
            Variable(key, value, "predefined", masked=key != "CI_REGISTRY_USER", raw=True, public=False)
            for key, value in _secrets(facts, known).items()
        ),
        *(v for v in written if v.level != "predefined"),
        *(v for v in predefined if v.key in STRONGER_THAN_THE_FILE),
        *(Variable(v.key, v.value, "dotenv", public=False) for v in reported),
    ]
    environment = environment_name(definition, everything)
    if environment:
        told = {"CI_ENVIRONMENT_NAME": environment, "CI_ENVIRONMENT_SLUG": environment_slug(environment)}
        everything[len(predefined) : len(predefined)] = [Variable(k, v, "predefined") for k, v in told.items()]
    everything += kept_outside(live, job, facts, environment)
    return [_literal(variable) for variable in _last_of_each(everything)]


def environment_name(definition: Job, variables: list[Variable]) -> str | None:
    """The name of the environment that the job deploys to, with variables replaced: unknown ones by nothing."""
    name = definition.environment.get("name")
    if not name:
        return None
    values = {variable.key: variable.value for variable in expand_all(_last_of_each(variables))}
    return expand(str(name), values)


def predefined_of_job(live: Live, definition: Job, job: JobRecord, facts: Facts) -> dict[str, str]:
    """The predefined variables that follow from the job's definition."""
    values = {
        "CI_JOB_NAME": job.name,
        "CI_JOB_NAME_SLUG": slug(job.name),
        "CI_JOB_STAGE": job.stage,
        "CI_NODE_TOTAL": str(definition.parallel_total or 1),
        "CI_JOB_TIMEOUT": str(facts.timeout),
        "CI_PIPELINE_IID": str(live.record.iid),
    }
    if definition.group_name:
        values["CI_JOB_GROUP_NAME"] = definition.group_name
    if definition.parallel_index is not None:
        values["CI_NODE_INDEX"] = str(definition.parallel_index)
    if definition.when == "manual":
        values["CI_JOB_MANUAL"] = "true"
    if live.compiled.name:
        values["CI_PIPELINE_NAME"] = live.compiled.name
    values["CI_DISPOSABLE_ENVIRONMENT" if definition.image else "CI_SHARED_ENVIRONMENT"] = "true"
    return values


def persisted(live: Live, job: JobRecord, facts: Facts, known: dict[str, str]) -> dict[str, str]:
    """The predefined variables that exist only once the job is taken."""
    project_url = known.get("CI_PROJECT_URL", "")
    started = _iso(job.started_at or 0)
    return {
        "CI_PIPELINE_ID": str(live.record.id),
        "CI_PIPELINE_URL": f"{project_url}/-/pipelines/{live.record.id}",
        "CI_PIPELINE_CREATED_AT": _iso(live.record.created_at),
        "CI_JOB_ID": str(job.id),
        "CI_JOB_URL": f"{project_url}/-/jobs/{job.id}",
        "CI_JOB_STARTED_AT": started,
        "CI_JOB_STARTED_AT_SLUG": slug(started),
        "CI_JOB_RETRY_COUNT": str(job.attempt - 1),
        "CI_JOB_TAGS": _as_json(job.tags),
        "CI_RUNNER_ID": str(facts.runner_id),
        "CI_RUNNER_DESCRIPTION": facts.runner,
        "CI_RUNNER_TAGS": _as_json(sorted(facts.runner_tags)),
        "CI_REPOSITORY_URL": facts.repository_url,
    }


def kept_outside(live: Live, job: JobRecord, facts: Facts, environment: str | None) -> list[Variable]:
    """The instance's, the groups' and then the project's variables that this job may see, then what was given to
    the pipeline, then to this start."""
    protected = is_protected(live.record.commit)
    levels = [
        ("instance", facts.instance_variables),
        *(("group", variables) for variables in facts.group_variables),
        ("project", tuple(facts.project_variables)),
    ]
    kept = [
        Variable(v.key, v.value, level, v.kind == "file", v.masked, v.raw, public=False)
        for level, variables in levels
        for v in visible(variables, protected, environment)
    ]
    return [*kept, *given([*live.record.variables, *job.variables])]


def given(variables: list[PipelineVariable]) -> list[Variable]:
    """The variables of one pipeline, or of one start, as the language knows them."""
    return [Variable(v.key, v.value, "pipeline", v.file, v.masked, v.raw, public=False) for v in variables]


def _secrets(facts: Facts, known: dict[str, str]) -> dict[str, str]:
    values = {"CI_JOB_TOKEN": facts.token}
    if known.get("CI_REGISTRY"):
        values |= {"CI_REGISTRY_USER": "gitlab-ci-token", "CI_REGISTRY_PASSWORD": facts.token}
    return values


def _literal(variable: Variable) -> Variable:
    """A predefined value is text from elsewhere (a commit message, a branch's name): a dollar in it is a dollar."""
    if variable.level != "predefined" or "$" not in variable.value or variable.key.startswith("CI_ENVIRONMENT_"):
        return variable
    return msgspec.structs.replace(variable, raw=True)


def _last_of_each(variables: list[Variable]) -> list[Variable]:
    """One a key, the strongest, in the order in which they come."""
    last: dict[str, Variable] = {}
    for variable in variables:
        last.pop(variable.key, None)
        last[variable.key] = variable
    return list(last.values())


def _as_json(values: list[str]) -> str:
    return msgspec.json.encode(values).decode()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
