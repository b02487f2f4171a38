"""needs and dependencies: written names become the jobs that they stand for, and the graph is checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from shipline.language.entry import did_you_mean
from shipline.language.findings import UNDEFINED, Finding, LanguageError, finding
from shipline.language.keywords.job import JobConfig
from shipline.language.keywords.needs import Needed
from shipline.language.keywords.root import Root
from shipline.language.keywords.trigger import artifact_jobs
from shipline.language.matrix import Instance, instances, selected
from shipline.language.matrix_expressions import substituted, substituted_name
from shipline.language.pipeline import Job, Need
from shipline.language.values import Map

MAX_NEEDS = 50
LONGEST_NAME = 255


class Jobs:
    """The written jobs by name, and the jobs that each stands for."""

    def __init__(self, root: Root) -> None:
        self.configs = {config.name: config for config in root.jobs}
        self.instances = {config.name: instances(config) for config in root.jobs}
        self.owner = {item.name: name for name, items in self.instances.items() for item in items}
        self.unread: set[str] = set()
        self.stage_index = {stage: index for index, stage in enumerate(root.stages)}

    def stage_of(self, name: str) -> int | None:
        """The place of a job's stage among the stages; the name is a written one or an instance's."""
        config = self.configs.get(name) or self.configs.get(self.owner.get(name, ""))
        if config is None:
            return None
        return self.stage_index.get(config.get("stage") or "test")

    def known(self, name: str) -> bool:
        """Whether there is such a job, by its written name or an instance's."""
        return name in self.configs or name in self.owner or name in self.unread

    def is_parallel(self, name: str) -> bool:
        """Whether a written job stands for several; a need's matrix selects nothing of one that does not."""
        config = self.configs.get(name)
        return config is None or config.parallel is not None

    def names(self, name: str) -> list[str]:
        """The jobs that a written name stands for; an unknown name stands for itself."""
        if name in self.instances:
            return [instance.name for instance in self.instances[name]]
        return [name]

    def needed(self, need: Needed, instance: Instance, config: JobConfig) -> list[str]:
        """The jobs that one need stands for."""
        name = substituted_name(need.job or "", instance, config, need.place)
        if need.matrix is not None and self.is_parallel(name):
            return selected(name, substituted(need.matrix, instance, config, need.place))
        return self.names(name)


def written_out(needs: list[Needed], config: JobConfig, jobs: Jobs, found: list[Finding]) -> list[Needed]:
    """The needs of a job, each with its job's name; one whose name has an expression is one for each row."""
    listed: list[Needed] = []
    for need in needs:
        if need.job is None or "$[[" not in need.job:
            listed.append(need)
            continue
        try:
            rows = jobs.instances[config.name]
            names = dict.fromkeys(substituted_name(need.job, row, config, need.place) for row in rows)
        except LanguageError as error:
            found += error.findings
            continue
        listed += [msgspec.structs.replace(need, job=name) for name in names]
    return listed


def check(root: Root, jobs: Jobs, merged: Map) -> list[Finding]:
    """What is wrong with needs and dependencies as written, whether or not a job is added.

    A job that is in the configuration but could not be read is taken to be right: it has been reported.
    """
    visible = {name for name in merged if isinstance(name, str) and not name.startswith(".")}
    jobs.unread = visible - set(jobs.configs)
    found: list[Finding] = []
    for config in root.jobs:
        own = jobs.stage_of(config.name)
        for needs in [config.needs or [], *(rule.needs or [] for rule in config.rules or [])]:
            found += check_needs(written_out(needs, config, jobs, found), config, own, jobs)
        found += check_dependencies(config, own, jobs)
    return found or check_circles(root, jobs)


def check_needs(needs: list[Needed], config: JobConfig, own: int | None, jobs: Jobs) -> list[Finding]:
    found: list[Finding] = []
    seen: set[str] = set()
    for need in needs:
        if need.job is None or need.project or need.pipeline:
            continue
        if need.matrix is None and need.job in seen:
            message = f"{config.name} has the following needs duplicated: {need.job}."
            found.append(finding(message, need.place))
        seen.add(need.job)
        stage = jobs.stage_of(need.job)
        if not jobs.known(need.job):
            if not need.optional:
                hint = did_you_mean(need.job, jobs.configs)
                found.append(
                    finding(f"{config.name} job: undefined need: {need.job}", need.place, hint, check=UNDEFINED)
                )
        elif jobs.is_parallel(need.job) and not need.optional and (part := unknown_part(need, jobs)):
            hint = did_you_mean(part, jobs.owner)
            found.append(finding(f"{config.name} job: undefined need: {part}", need.place, hint, check=UNDEFINED))
        elif name := too_long(need, jobs):
            message = f"{config.name} job: need `{name}` name is too long (maximum is {LONGEST_NAME} characters)"
            found.append(finding(message, need.place))
        elif own is not None and stage is not None and stage > own:
            message = f"{config.name} job: need {need.job} is not defined in current or prior stages"
            found.append(finding(message, need.place, "a job can need only jobs of its own or an earlier stage"))
    return found


def unknown_part(need: Needed, jobs: Jobs) -> str | None:
    """A part that a need selects and that the job does not have; those with expressions are not known yet."""
    names = selected(need.job or "", need.matrix) if need.matrix is not None else []
    return next((name for name in names if "$[[" not in name and name not in jobs.owner), None)


def too_long(need: Needed, jobs: Jobs) -> str | None:
    """The name of a needed job that GitLab cannot keep; a job of that name that nobody needs is fine."""
    names = selected(need.job or "", need.matrix) if need.matrix is not None else jobs.names(need.job or "")
    return next((name for name in names if len(name) > LONGEST_NAME), None)


def check_dependencies(config: JobConfig, own: int | None, jobs: Jobs) -> list[Finding]:
    found: list[Finding] = []
    for key, name in dependencies(config):
        place = config.source.item_at(key, name)
        stage = jobs.stage_of(name)
        if not jobs.known(name):
            hint = did_you_mean(name, jobs.configs)
            found.append(finding(f"{config.name} job: undefined dependency: {name}", place, hint, check=UNDEFINED))
        elif own is not None and stage is not None and stage > own:
            message = f"{config.name} job: dependency {name} is not defined in current or prior stages"
            found.append(finding(message, place))
    return found


def dependencies(config: JobConfig) -> list[tuple[str, str]]:
    """The jobs whose artifacts a job reads, each with the keyword that says so."""
    listed = [("dependencies", name) for name in config.get("dependencies") or []]
    return listed + [("trigger", name) for name in artifact_jobs(config.get("trigger") or {})]


def check_circles(root: Root, jobs: Jobs) -> list[Finding]:
    """A ring of needs among jobs as written."""
    edges = {
        config.name: [
            jobs.owner.get(need.job, need.job)
            for need in written_out(config.needs or [], config, jobs, [])
            if need.job
        ]
        for config in root.jobs
    }
    places = {config.name: config.source.at("needs") for config in root.jobs}
    for config in root.jobs:
        if config.name in edges[config.name]:
            text = f"The pipeline has circular dependencies: self-dependency: {config.name}"
            return [finding(text, places[config.name])]
    ring = circle(edges)
    if not ring:
        return []
    names = ", ".join(f'"{name}"' for name in ring)
    text = f"The pipeline has circular dependencies: topological sort failed: [{names}]"
    hint = f"needs must not lead back to the job itself: {' -> '.join([*ring, ring[0]])}"
    return [finding(text, places[ring[0]], hint)]


def circle(edges: Mapping[str, list[str]]) -> list[str]:
    """One ring among the edges, without recursion; empty when there is none."""
    state: dict[str, int] = {}
    for root in edges:
        if root in state:
            continue
        path: list[str] = [root]
        iterators = [iter(edges[root])]
        state[root] = 1
        while iterators:
            for name in iterators[-1]:
                if state.get(name) == 1:
                    return path[path.index(name) :]
                if name in edges and name not in state:
                    state[name] = 1
                    path.append(name)
                    iterators.append(iter(edges[name]))
                    break
            else:
                state[path.pop()] = 2
                iterators.pop()
    return []


def resolve(needs: list[Needed], instance: Instance, config: JobConfig, jobs: Jobs) -> list[Need]:
    """The needs of one job by final names, those of other pipelines as written."""
    found: list[Need] = []
    for need in needs:
        if need.project or need.pipeline:
            names = [need.job or ""]
            if need.matrix is not None:
                names = jobs.needed(need, instance, config)
            others = (need.artifacts, need.optional, need.pipeline, need.project, need.ref)
            found += [Need(name, *others) for name in names]
            continue
        found += [Need(name, need.artifacts, need.optional) for name in jobs.needed(need, instance, config)]
    return found


def check_present(added: Iterable[Job]) -> None:
    """Every need of the jobs that were added is itself there, unless it is optional. Raises LanguageError."""
    listed = list(added)
    present = {job.name for job in listed}
    findings: list[Finding] = []
    for job in listed:
        own = [need for need in job.needs or [] if not (need.project or need.pipeline)]
        place = job.at("needs")
        if len(own) > MAX_NEEDS:
            text = f"{job.name}: one job can only need {MAX_NEEDS} others, but you have listed {len(own)}"
            findings.append(finding(text, place))
        for need in own:
            if need.job not in present and not need.optional:
                text = f"'{job.name}' job needs '{need.job}' job, but '{need.job}' does not exist in the pipeline"
                findings.append(finding(text, place, "its rules kept it out: make the need `optional: true`"))
    if findings:
        raise LanguageError(findings)


def as_data(need: Need) -> dict[str, Any]:
    """A need in GitLab's form."""
    if need.project:
        return {"project": need.project, "ref": need.ref, "job": need.job, "artifacts": need.artifacts}
    if need.pipeline:
        return {"pipeline": need.pipeline, "job": need.job or None, "artifacts": need.artifacts}
    return {"job": need.job, "artifacts": need.artifacts, "optional": need.optional}
