"""From a written job to the jobs of this pipeline: rules tried, defaults taken, variables gathered."""

from __future__ import annotations

from typing import Any, cast

from shipline.language import needs_graph
from shipline.language.conditions import Circumstances, Repository, first_match
from shipline.language.context import Context
from shipline.language.durations import seconds
from shipline.language.expansion import expand, loops, references
from shipline.language.findings import refuse
from shipline.language.job_variables import (
    ACTIONS,
    OF_ENVIRONMENT,
    by_name,
    expander,
    job_predefined,
    outer_variables,
    written_variables,
    yaml_variables,
)
from shipline.language.keywords.inherit import DEFAULT_KEYS
from shipline.language.keywords.job import JobConfig
from shipline.language.keywords.root import Root
from shipline.language.keywords.rules import Rule
from shipline.language.matrix import Instance
from shipline.language.pipeline import Image, Job, Service, Variable, When
from shipline.language.policies import DEFAULT_ONLY, admitted
from shipline.language.scopes import is_scoped
from shipline.language.values import NOWHERE, Place

AFTER_RULES = ("CI_PIPELINE_NAME", "CI_ENVIRONMENT_SLUG")
"""Predefined variables that a job has, and that GitLab does not know yet when it tries the job's rules."""
DECIDED_BY_RULES = ("when", "start_in", "allow_failure", "needs", "interruptible")
"""Values of a job that a rule may put others in the place of."""
OWN_FIELDS = {
    "script",
    "before_script",
    "after_script",
    "image",
    "services",
    "tags",
    "when",
    "start_in",
    "allow_failure",
    "manual_confirmation",
    "dependencies",
    "timeout",
    "interruptible",
    "resource_group",
    "retry",
    "artifacts",
    "cache",
    "environment",
    "trigger",
    "stage",
    "only",
    "except",
    "inherit",
}


class Builder:
    """Makes the jobs of one pipeline. `top` are the variables of the file's top level, workflow's included."""

    def __init__(
        self,
        root: Root,
        context: Context,
        repository: Repository,
        predefined: list[Variable],
        top: dict[str, Variable],
    ) -> None:
        self.root = root
        self.context = context
        self.repository = repository
        self.predefined = predefined
        self.top = top
        self.outer = outer_variables(context)
        kept = (*context.instance_variables, *context.group_variables, *context.project_variables)
        self.scoped = any(map(is_scoped, kept))
        self.graph = needs_graph.Jobs(root)
        self.base = by_name(variable for variable in predefined if variable.key not in AFTER_RULES)
        self.above = by_name(self.outer)
        self.naming = [variable for variable in predefined if references(variable)]
        self.ringless: set[tuple[tuple[str, str, bool], ...]] = set()

    def jobs(self) -> list[Job]:
        """The jobs that belong to this pipeline, in the file's order."""
        found = []
        for config in self.root.jobs:
            for instance in self.graph.instances[config.name]:
                job = self.job(config, instance)
                if job is not None:
                    found.append(job)
        return found

    def variables(self, config: JobConfig, instance: Instance) -> tuple[list[Variable], dict[str, Variable]]:
        """A job's own predefined variables, and those that the file gives it."""
        written = yaml_variables(self.top, config, instance)
        stage = config.get("stage") or "test"
        environment = config.get("environment")
        name = str(environment.get("name", "")) if environment else ""
        if "$" in name:
            own = [item for item in job_predefined(config, instance, stage, name) if item.key not in OF_ENVIRONMENT]
            seen = [*self.predefined, *own, *written.values(), *self.outer]
            name = expand(name, expander(seen)(name), keep_undefined=True)
        return job_predefined(config, instance, stage, name), written

    def circumstances(self, own: list[Variable], written: dict[str, Variable]) -> Circumstances:
        """What a job's rules are tried against."""
        mine = by_name(variable for variable in own if variable.key not in AFTER_RULES)
        above = by_name(self.outside(own)) if self.scoped else self.above
        values = {**self.base, **mine, **by_name(written.values()), **above}
        return Circumstances(values, expander(self.everything(own, written)), self.repository)

    def everything(self, own: list[Variable], written: dict[str, Variable]) -> list[Variable]:
        """All variables of a job, lowest precedence first."""
        return [*self.predefined, *own, *written.values(), *self.outside(own)]

    def outside(self, own: list[Variable]) -> list[Variable]:
        """The levels above the file as a job sees them, which knows its environment."""
        if not self.scoped:
            return self.outer
        environment = next((variable.value for variable in own if variable.key == "CI_ENVIRONMENT_NAME"), None)
        return outer_variables(self.context, environment)

    def job(self, config: JobConfig, instance: Instance) -> Job | None:
        """One job, or None when its rules keep it out. Raises LanguageError for variables in a circle."""
        own, written = self.variables(config, instance)
        circumstances = self.circumstances(own, written)
        rule = self.chosen(config, circumstances, instance.name)
        if rule is None:
            return None
        if rule.variables:
            written = written | written_variables(rule.variables, "rules")
        when = rule.when or config.get("when") or "on_success"
        own = [item for item in own if item.key != "CI_JOB_MANUAL"]
        if when in ACTIONS:
            own.append(Variable("CI_JOB_MANUAL", "true", "predefined"))
        self.check_loops(config, instance, [*self.naming, *own, *written.values(), *self.outside(own)])
        values = self.values(config)
        if values.get("tags"):
            values["tags"] = runner_tags(values["tags"], circumstances)
        return self.made(config, instance, values, rule, when, self.everything(own, written))

    def check_loops(self, config: JobConfig, instance: Instance, variables: list[Variable]) -> None:
        """Variables that name each other in a circle. Raises LanguageError."""
        naming: dict[str, Variable] = {}
        for item in variables:
            if "$" in item.value or "%" in item.value:
                naming[item.key] = item
            elif item.key in naming:
                del naming[item.key]
        signature = tuple((item.key, item.value, item.raw) for item in naming.values())
        if signature in self.ringless:
            return
        rings = loops(list(naming.values()))
        if not rings:
            self.ringless.add(signature)
            return
        names = ", ".join(f'"{name}"' for name in sorted(rings[0]))
        place = next((item.place for item in reversed(variables) if item.key == rings[0][0]), NOWHERE)
        text = f"{instance.name}: circular variable reference detected: [{names}]"
        raise refuse(text, place if place.line else config.source.at("variables"))

    def chosen(self, config: JobConfig, circumstances: Circumstances, name: str) -> Rule | None:
        """The rule that adds the job (an empty one where only and except let it in), or None."""
        if config.rules is not None:
            rule = first_match(config.rules, circumstances, name)
            return None if rule is None or (rule.when or config.get("when")) == "never" else rule
        only, except_ = config.get("only"), config.get("except")
        if only is None and self.root.workflow.rules is None:
            only = DEFAULT_ONLY
        elif only is not None and "refs" not in only:
            only = {**DEFAULT_ONLY, **only}
        added, _why = admitted(only, except_, self.context, circumstances.values)
        return Rule(config.source.place) if added else None

    def values(self, config: JobConfig) -> dict[str, Any]:
        """The job's keywords with what it inherits from default."""
        inherit = (config.get("inherit") or {}).get("default", True)
        if config.bridge:
            keys: tuple[str, ...] = ("interruptible",)
        else:
            keys = DEFAULT_KEYS
        taken = {
            key: self.root.defaults[key]
            for key in keys
            if key in self.root.defaults and (inherit is True or (inherit is not False and key in inherit))
        }
        return with_pages(config.name, {**taken, **config.values})

    def made(
        self,
        config: JobConfig,
        instance: Instance,
        values: dict[str, Any],
        rule: Rule,
        when: str,
        variables: list[Variable],
    ) -> Job:
        needs = rule.needs if rule.needs is not None else config.needs
        stage = values.get("stage") or "test"
        allowed, exit_codes = failure(values.get("allow_failure"), rule, config.get("when"))
        start_in = rule.start_in or (values.get("start_in") if when == "delayed" else None)
        interruptible = values.get("interruptible") if rule.interruptible is None else rule.interruptible
        places = self.places(config, rule)
        image = values.get("image")
        dependencies = values.get("dependencies")
        effective = {**values, "when": when, "start_in": start_in, "interruptible": interruptible}
        return Job(
            name=instance.name,
            stage=stage,
            stage_index=self.root.stages.index(stage),
            script=values.get("script") or [],
            before_script=values.get("before_script") or [],
            after_script=values.get("after_script") or [],
            image=Image(**image) if image else None,
            services=[Service(**service) for service in values.get("services") or []],
            tags=values.get("tags") or [],
            variables=variables,
            when=cast(When, when),
            start_in=seconds(start_in) if start_in else None,
            allow_failure=allowed,
            allow_failure_exit_codes=exit_codes,
            manual_confirmation=values.get("manual_confirmation"),
            needs=None if needs is None else needs_graph.resolve(needs, instance, config, self.graph),
            dependencies=None
            if dependencies is None
            else [name for item in dependencies for name in self.graph.names(item)],
            timeout=values.get("timeout"),
            interruptible=bool(interruptible),
            resource_group=values.get("resource_group"),
            retry=values.get("retry") or {},
            artifacts=values.get("artifacts") or {},
            cache=values.get("cache") or [],
            environment=values.get("environment") or {},
            trigger=values.get("trigger") or {},
            extra={key: value for key, value in values.items() if key not in OWN_FIELDS},
            parallel_index=instance.index,
            parallel_total=instance.total,
            group_name=config.name,
            file=config.source.place.file,
            line=places["name"].line,
            places=places,
            values=effective,
        )

    def places(self, config: JobConfig, rule: Rule) -> dict[str, Place]:
        """Where each of a job's values came from; `name` is the job's own."""
        found = {**self.root.default_at, **config.source.values_at, "name": self.root.names_at[config.name]}
        return found | {key: rule.place for key in DECIDED_BY_RULES if getattr(rule, key) is not None}


def runner_tags(written: list[str], circumstances: Circumstances) -> list[str]:
    """A job's tags with variables replaced; blank ones ask for nothing, and one that comes twice asks once."""
    if any("$" in tag or "%" in tag for tag in written):
        known = {key: value for key, value in circumstances.values.items() if value is not None}
        written = [expand(tag, known, keep_undefined=True) for tag in written]
    return list(dict.fromkeys(tag.strip() for tag in written if tag.strip()))


def with_pages(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """The values of a job that publishes pages: what it publishes is among its artifacts."""
    pages = values.get("pages")
    if not pages and (name != "pages" or pages is False):
        return values
    published = (pages.get("publish") if isinstance(pages, dict) else None) or values.get("publish") or "public"
    artifacts = values.get("artifacts") or {}
    paths = artifacts.get("paths") or []
    if published in paths:
        return values
    return {**values, "artifacts": {**artifacts, "paths": [*paths, published]}}


def failure(written: Any, rule: Rule, written_when: str | None) -> tuple[bool, list[int]]:
    """allow_failure and its exit codes: the rule's word, the job's, else true for a job that itself says manual."""
    if rule.allow_failure is not None:
        return rule.allow_failure, []
    if isinstance(written, dict):
        return False, written.get("exit_codes") or []
    if isinstance(written, bool):
        return written, []
    return written_when == "manual", []
