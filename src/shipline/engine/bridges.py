"""Trigger jobs: what they ask for, whether they may have it, and what becomes of them when they may not.

No runner takes such a job. When it is pending it is claimed like any other (it runs then), the configuration of the
downstream pipeline is compiled outside of any transaction, and the pipeline is stored in the transaction that links
the two. Where projects and their repositories are, and who may do what, is a `World`'s business: there is one for a
user's machine (`local_world`) and one for a server.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from shipline.engine import hierarchy
from shipline.engine.dependencies import reported, sources
from shipline.engine.errors import EngineError, Refusal
from shipline.engine.job_variables import Facts, job_variables, unexpanded
from shipline.engine.live import Live
from shipline.engine.pipelines import Pipelines
from shipline.engine.records import JobRecord, PipelineRecord, PipelineVariable
from shipline.language import LanguageError
from shipline.language.expansion import expand, named
from shipline.language.pipeline import Job

MAX_NESTED_CHILDREN = 2
MAX_HIERARCHY = 1000
"""Pipelines in one hierarchy."""
MAX_ROUNDS = 2
"""How often a project, ref and source may stand above a pipeline of another project."""
YAML_LEVELS = ("global", "workflow", "job", "matrix", "rules")
OF_A_RUNNER = frozenset(
    (
        *("CI_JOB_ID", "CI_JOB_URL", "CI_JOB_TOKEN", "CI_JOB_STARTED_AT", "CI_JOB_STARTED_AT_SLUG"),
        *("CI_JOB_TIMEOUT", "CI_JOB_RETRY_COUNT", "CI_JOB_TAGS", "CI_RUNNER_ID", "CI_RUNNER_DESCRIPTION"),
        *("CI_RUNNER_TAGS", "CI_REPOSITORY_URL", "CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD"),
    )
)
"""What only a job that a runner has taken knows, and no trigger job."""


class Asked(msgspec.Struct, frozen=True):
    """What a trigger job asks for, with variables replaced. `project` None: a child of its own project, made of
    `includes`. `branch` None: the project's default branch. `variables` are handed on."""

    bridge: JobRecord
    parent: PipelineRecord
    definition: Job
    project: str | None
    branch: str | None
    includes: list[Any]
    inputs: dict[str, Any]
    variables: list[PipelineVariable]


class World(Protocol):
    """Where downstream pipelines are made. Each method may raise Refusal, LanguageError or EngineError."""

    def facts(self, live: Live) -> Facts:
        """What is known for the variables of a pipeline's jobs besides the pipeline."""

    def project(self, asked: Asked) -> int:
        """The number of the other project in which a pipeline is asked for. Raises Refusal when there is none, or
        none in which one may be made."""

    async def make_child(self, asked: Asked) -> None:
        """Makes the child pipeline (`Pipelines.create` with `upstream`)."""

    async def make_other(self, asked: Asked) -> None:
        """Makes the other project's pipeline."""

    def mirrored(self, live: Live, job: JobRecord, project: str) -> int:
        """The number of the newest pipeline of another project's default branch. Raises Refusal."""


async def start(pipelines: Pipelines, job: JobRecord, world: World) -> None:
    """Does what a pending bridge is for, unless somebody else does already. It fails with a reason, and its log
    says why, when that cannot be."""
    if not pipelines.started(job, None):
        return
    live = pipelines.live(job.pipeline_id)
    try:
        definition = live.definitions[job.name]
        facts = world.facts(live)
        if not definition.trigger:
            _mirror(pipelines, live, job, facts, world)
            return
        wish = asked(live, job, facts)
        check(pipelines, wish, world)
        await (world.make_child(wish) if wish.project is None else world.make_other(wish))
    except Refusal as refusal:
        fail(pipelines, job, refusal.reason, str(refusal))
    except LanguageError as error:
        fail(pipelines, job, "downstream_pipeline_creation_failed", told(error, live.definitions[job.name]))
    except EngineError as error:
        fail(pipelines, job, "downstream_pipeline_creation_failed", str(error))


def fail(pipelines: Pipelines, job: JobRecord, reason: str, why: str) -> None:
    """The bridge fails, unless it is over or has its pipeline; its log says why."""
    current = pipelines.job(job.pipeline_id, job.name)
    if current.id == job.id and current.status == "running" and current.downstream is None:
        pipelines.store.write_trace(job.id, 0, f"ERROR: Job failed: {why}\n".encode())
        pipelines.finished(current, "failed", reason)


def told(error: LanguageError, definition: Job) -> str:
    """What is wrong with a downstream configuration, each finding with its place and line."""
    place = definition.at("trigger")
    lines = [f"the downstream pipeline could not be created ({place.file}:{place.line}):"]
    return "\n".join([*lines, *(line for finding in error.findings for line in finding.lines())])


def asked(live: Live, job: JobRecord, facts: Facts) -> Asked:
    """What a trigger job asks for. Raises Refusal for a trigger of nothing."""
    definition = live.definitions[job.name]
    trigger = definition.trigger
    values = values_of(live, job, facts)
    includes = trigger.get("include")
    project = trigger.get("project")
    if includes is None and not project:
        raise Refusal("invalid_bridge_trigger", "its trigger names neither a project nor a file.")
    branch = trigger.get("branch")
    return Asked(
        bridge=job,
        parent=live.record,
        definition=definition,
        project=None if includes is not None else expand(str(project), values),
        branch=expand(str(branch), values) or None if branch else None,
        includes=includes if isinstance(includes, list) else [includes],
        inputs=trigger.get("inputs") or {},
        variables=handed_on(live, job, facts),
    )


def values_of(live: Live, job: JobRecord, facts: Facts) -> dict[str, str]:
    """The variables of a bridge by name, expanded; with those that earlier jobs have reported."""
    earlier = reported(sources(live, live.definitions[job.name]))
    found = {variable.key: variable.value for variable in job_variables(live, job, facts, earlier)}
    return {key: value for key, value in found.items() if key not in OF_A_RUNNER}


def handed_on(live: Live, job: JobRecord, facts: Facts) -> list[PipelineVariable]:
    """The variables that become the downstream pipeline's own: those of the configuration, unless `forward` says
    no, and those reported by earlier jobs and given to this pipeline, where `forward` says so. Of two of one name
    the last wins.

    Their values are expanded once: what then is in them is expanded downstream. A file variable is not put in, it
    comes along.
    """
    definition = live.definitions[job.name]
    forward = definition.trigger.get("forward") or {}
    earlier = reported(sources(live, definition))
    known = {v.key: v for v in unexpanded(live, job, facts, earlier) if v.key not in OF_A_RUNNER}
    values = {key: f"${key}" if v.file else v.value for key, v in known.items()}
    found: dict[str, PipelineVariable] = {}

    def add(key: str, value: str, file: bool, raw: bool, masked: bool) -> None:
        found.pop(key, None)
        found[key] = PipelineVariable(key, value if raw else expand(value, values), file, raw, masked)
        for name in () if raw else named(value):
            if (its := known.get(name)) is not None and its.file:
                found.setdefault(name, PipelineVariable(name, its.value, True, its.raw, its.masked))

    if forward.get("yaml_variables") is not False:
        for written in definition.variables:
            if written.level in YAML_LEVELS:
                add(written.key, written.value, written.file, written.raw, written.masked)
    if forward.get("pipeline_variables") is True:
        for given in [*earlier, *live.record.variables]:
            add(given.key, given.value, given.file, given.raw, given.masked)
    return list(found.values())


def check(pipelines: Pipelines, asked: Asked, world: World) -> None:
    """Raises Refusal for a pipeline that may not be made, as GitLab would."""
    if asked.project is not None and world.project(asked) == asked.parent.project_id:
        why = f"a pipeline of this very project ({asked.project}) is made with trigger:include."
        raise Refusal("invalid_bridge_trigger", why)
    above = hierarchy.ancestors(pipelines, asked.parent.id, same_project=True)
    if asked.project is None and len(above) > MAX_NESTED_CHILDREN:
        why = f"child pipelines may be nested {MAX_NESTED_CHILDREN} deep, and this would be one more."
        raise Refusal("reached_max_descendant_pipelines_depth", why)
    if _is_full(pipelines, asked.parent.id):
        why = f"a pipeline and all that it triggers may be {MAX_HIERARCHY} at most."
        raise Refusal("reached_max_pipeline_hierarchy_size", why)
    if asked.project is not None and _goes_round(hierarchy.ancestors(pipelines, asked.parent.id)):
        raise Refusal("pipeline_loop_detected", "these pipelines trigger each other in a circle.")


def _is_full(pipelines: Pipelines, pipeline_id: int) -> bool:
    """Whether the hierarchy may have no further pipeline. It is counted once, then again where this process has
    asked for so many that it may be full: counting before each one takes longer than making it."""
    top = hierarchy.ancestors(pipelines, pipeline_id)[-1].id
    known = pipelines.families.get(top, MAX_HIERARCHY)
    if known >= MAX_HIERARCHY:
        known = len(hierarchy.family(pipelines, top))
    pipelines.families[top] = known + 1
    return known >= MAX_HIERARCHY


def _goes_round(above: list[PipelineRecord]) -> bool:
    places = [(p.project_id, p.commit.ref, p.source) for p in above if p.source != "parent_pipeline"]
    return any(places.count(place) > MAX_ROUNDS for place in places)


def _mirror(pipelines: Pipelines, live: Live, job: JobRecord, facts: Facts, world: World) -> None:
    """The bridge of a `needs: pipeline` takes the status of another project's newest pipeline."""
    needs = live.definitions[job.name].needs or []
    written = next(need.pipeline for need in needs if need.pipeline and not need.job)
    number = world.mirrored(live, job, expand(str(written), values_of(live, job, facts)))
    hierarchy.mirror(pipelines, job, number)


def pending(live: Live) -> list[JobRecord]:
    """The bridges that wait to be started."""
    return [live.jobs[name] for name in live.graph.bridges if live.states.jobs[name] == "pending"]
