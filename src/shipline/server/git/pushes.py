"""What a push sets off: a pipeline for each branch and tag that was changed, and what the pusher is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from shipline.engine.deployments import last_success
from shipline.engine.environments import stop, stop_actions
from shipline.engine.errors import EngineError
from shipline.engine.git import GitCall
from shipline.engine.possessions import Environment
from shipline.engine.records import PipelineRecord, PipelineVariable
from shipline.engine.repository import NO_SHA
from shipline.language import Finding, LanguageError
from shipline.language.inputs import Untyped
from shipline.server.creation import NO_JOBS, Order, create_pipeline, note_skipped
from shipline.server.instance import Instance
from shipline.server.merge_pipelines import asked_for, branch_moved, says_skip
from shipline.server.permissions import Caller

MOST_PIPELINES = 4
"""In one push; more refs than that are taken without pipelines."""
KINDS = {"refs/heads/": "branch", "refs/tags/": "tag"}


class Change(msgspec.Struct, frozen=True):
    """One ref of a push. An id of zeros: it was not there before, or is deleted."""

    before: str
    after: str
    ref: str

    @property
    def kind(self) -> str | None:
        """`branch`, `tag`, or None for other refs."""
        return next((kind for prefix, kind in KINDS.items() if self.ref.startswith(prefix)), None)

    @property
    def name(self) -> str:
        return self.ref.split("/", 2)[2] if self.kind else self.ref


def forbidden(instance: Instance, project: Any, caller: Caller, changes: list[Change]) -> str | None:
    """Why the push is refused as a whole; None when it is not."""
    for change in changes:
        if change.kind is None:
            return f"{change.ref}: only branches and tags can be pushed."
        if not instance.projects.may_push(project, caller, change.kind, change.name):
            return f"You are not allowed to push to the protected {change.kind} {change.name} of this project."
        if change.after == NO_SHA and change.kind == "branch" and change.name == project.default_branch:
            return f"The default branch {change.name} cannot be deleted."
    return None


def forbids_rewriting(instance: Instance, project: Any, changes: list[Change]) -> bool:
    """Whether the push touches a ref whose history must only grow."""
    rules = [
        rule
        for change in changes
        if change.kind == "branch" and change.before != NO_SHA
        for rule in instance.projects.protection(project.id, "branch", change.name)
    ]
    return any(not rule.allow_force_push for rule in rules)


async def pushed(
    instance: Instance, project: Any, caller: Caller, changes: list[Change], options: list[str]
) -> list[str]:
    """Creates the pipelines; gives the lines that the pusher gets to see."""
    _adopt_default_branch(instance, project, changes)
    project = instance.projects.by_id(project.id)
    instance.audit("push", f"{project.full_path}: {', '.join(change.ref for change in changes)}", caller.user_id)
    stop_deployed_from(instance, project, changes)
    kept = [change for change in changes if change.after != NO_SHA]
    lines: list[str] = []
    for change in kept[:MOST_PIPELINES]:
        lines += await _pipeline(instance, project, caller, change, options)
    if len(kept) > MOST_PIPELINES:
        lines.append(f"A push makes at most {MOST_PIPELINES} pipelines; there is none for the other refs.")
    for change in changes:
        if change.kind == "branch":
            lines += await branch_moved(instance, project, caller, change.name, change.after)
            if change.after != NO_SHA:
                lines += await asked_for(instance, project, caller, change.name, options)
    return lines


def stop_deployed_from(instance: Instance, project: Any, changes: list[Change]) -> None:
    """A branch that is deleted takes with it what was deployed from it, where a job can stop that."""
    gone = {change.name for change in changes if change.kind == "branch" and change.after == NO_SHA}
    for found in instance.store.possessions(project.id, Environment) if gone else ():
        last = last_success(instance.store, project.id, found.name)
        if last is not None and last.ref in gone and stop_actions(instance.pipelines, project.id, found.name):
            stop(instance.pipelines, project.id, found.name)


async def _pipeline(
    instance: Instance, project: Any, caller: Caller, change: Change, options: list[str]
) -> list[str]:
    order = Order(project=project, ref=change.ref, caller=caller, before_sha=change.before, source="push")
    if why := _skipped(project, change, options):
        await note_skipped(instance, order)
        return [f"No jobs for {change.name}: {why}."]
    warnings: list[Finding] = []
    failed: list[PipelineRecord] = []
    try:
        variables, inputs = _given_variables(options), _given_inputs(options)
        order = msgspec.structs.replace(order, variables=variables, inputs=inputs)
        record = await create_pipeline(instance, order, warnings.extend, failed=failed.append)
    except LanguageError as error:
        shown = [line for finding in error.findings for line in finding.lines()]
        return [
            f"The pipeline for {change.name} could not be created:",
            *shown,
            *_addresses(instance, order, failed),
        ]
    except EngineError as error:
        if str(error) == "Missing CI config file":
            return []
        if str(error) == NO_JOBS:
            return [f"No pipeline for {change.name}: none of its jobs is for this push."]
        lines = str(error).splitlines()
        return [
            f"The pipeline for {change.name} could not be created:",
            *lines,
            *_addresses(instance, order, failed),
        ]
    dubious = [line for finding in warnings for line in finding.lines()]
    return [f"Pipeline #{record.id} for {change.name}:", *_addresses(instance, order, [record]), *dubious]


def _skipped(project: Any, change: Change, options: list[str]) -> str | None:
    """Why the push is to make no jobs; None when it is to."""
    if "ci.skip" in options:
        return "ci.skip was asked for"
    return "its commit message says so" if says_skip(Path(project.path), change.after) else None


def _addresses(instance: Instance, order: Order, records: list[PipelineRecord]) -> list[str]:
    place = f"{instance.settings.url}/{order.project.full_path}/-/pipelines"
    return [f"  {place}/{record.id}" for record in records]


def _given_variables(options: list[str]) -> list[PipelineVariable]:
    """`git push -o ci.variable="NAME=value"`."""
    pairs = [option.removeprefix("ci.variable=") for option in options if option.startswith("ci.variable=")]
    parts = [pair.partition("=") for pair in pairs if "=" in pair]
    return [PipelineVariable(key, value) for key, _, value in parts]


def _given_inputs(options: list[str]) -> dict[str, Any]:
    """`git push -o ci.input="name=value"`; the file says of what type it is. Raises EngineError for one without a
    value."""
    found: dict[str, Any] = {}
    for option in options:
        if option.startswith("ci.input="):
            name, equals, value = option.removeprefix("ci.input=").partition("=")
            if not equals or not name:
                raise EngineError(f"-o {option}: an input is written ci.input=NAME=VALUE.")
            found[name] = Untyped(value)
    return found


def _adopt_default_branch(instance: Instance, project: Any, changes: list[Change]) -> None:
    """The first branch of an empty repository is its default branch, whatever it is called."""
    branches = [change.name for change in changes if change.kind == "branch" and change.after != NO_SHA]
    if not branches or project.default_branch in branches:
        return
    known = GitCall(Path(project.path), "rev-parse", "-q", "--verify", f"refs/heads/{project.default_branch}")
    if known.output(missing=b"") == b"":
        instance.projects.set_default_branch(project, branches[0])
        if not instance.projects.protection(project.id, "branch", branches[0]):
            instance.projects.protect(project.id, "branch", branches[0])
