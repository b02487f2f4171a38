"""`compile`: the steps from a file's text to a pipeline, in order, each in a module of its own.

includes (documents, inputs) -> extends -> references -> keywords -> workflow -> jobs (matrix, rules, variables)
-> needs. Each step takes the value that the last one gave; what is wrong is a LanguageError with its places.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache

import msgspec

from shipline.language import deployments, needs_graph
from shipline.language.cautions import cautions
from shipline.language.conditions import Circumstances, Repository, Verdict, first_match, verdicts
from shipline.language.context import Context
from shipline.language.entry import did_you_mean
from shipline.language.expansion import expand
from shipline.language.extends import extend
from shipline.language.findings import UNDEFINED, Finding, LanguageError, distinct, finding, refuse
from shipline.language.includes import Includes
from shipline.language.job_variables import by_name, expander, outer_variables, written_variables
from shipline.language.jobs import Builder
from shipline.language.keywords.job import JobConfig
from shipline.language.keywords.root import FIRST, LAST, Root, root
from shipline.language.keywords.rules import Rule
from shipline.language.keywords.workflow import MAX_NAME
from shipline.language.loader import Loader, MemoryLoader
from shipline.language.masking import masked, secrets
from shipline.language.pipeline import Job, Pipeline, Variable
from shipline.language.predefined import before_workflow, predefined
from shipline.language.references import resolve
from shipline.language.values import Map, Place

BLANK = " \t\u00a0\u202f\u2060\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x2010)))
"""Spaces, and what in an editor cannot be told from a space or from nothing."""


class Compilation(msgspec.Struct):
    """All that one compilation came to know: for lint, preview and explain. `missing`, where it is a list, takes
    what is wrong with includes, so that one that cannot be had does not hide what else is wrong.
    """

    context: Context
    texts: dict[str, str] = {}
    warnings: list[Finding] = []
    merged: Map | None = None
    bases: dict[str, list[str]] = {}
    root: Root | None = None
    builder: Builder | None = None
    workflow_rule: Rule | None = None
    workflow_circumstances: Circumstances | None = None
    pipeline: Pipeline | None = None
    blocks: dict[str, list[tuple[int, str]]] = {}
    missing: list[Finding] | None = None

    def told(self, findings: list[Finding]) -> list[Finding]:
        """Findings as they are told: each once, with the line that it is about, and without secrets."""
        values = secrets(self.context)
        return [masked(sourced(item, self.texts), values) for item in distinct(findings)]

    def workflow_verdicts(self) -> list[Verdict]:
        """What each rule of the workflow came to."""
        rules = self.root.workflow.rules if self.root else None
        if rules is None or self.workflow_circumstances is None:
            return []
        return verdicts(rules, self.workflow_circumstances)

    def owner(self, place: Place) -> str | None:
        """The top-level entry of a file in which a place stands."""
        entries = self.blocks.get(place.file, [])
        at = bisect_right(entries, (place.line, "\U0010ffff"))
        return entries[at - 1][1] if at else None

    @staticmethod
    def is_rule(config: JobConfig, place: Place) -> bool:
        """Whether a place is that of one of a job's rules."""
        return any(rule.place == place for rule in config.rules or [])


def compile(text: str, context: Context, loader: Loader | None = None) -> Pipeline:
    """The pipeline of a file in given circumstances; without jobs where GitLab would make none.

    Raises LanguageError with every finding and its place.
    """
    return run(Compilation(context), text, loader or MemoryLoader())


def run(done: Compilation, text: str, loader: Loader) -> Pipeline:
    """The steps; what each gives is kept in `done`. Raises LanguageError."""
    try:
        made = steps(done, text, loader)
    except LanguageError as error:
        noted = [item for item in done.missing or [] if item not in error.findings]
        error.findings = done.told([*noted, *error.findings])
        raise
    except RecursionError:
        raise refuse("The configuration is nested too deep", Place(done.context.config_path, 0, 0)) from None
    made.warnings = done.told(done.warnings)
    return made


def steps(done: Compilation, text: str, loader: Loader) -> Pipeline:
    context = done.context
    repository = Repository(loader, context.changed, context.files)
    known = predefined(context)
    early = before_workflow(known)
    outside = [*early, *outer_variables(context)]
    child = context.source == "parent_pipeline"
    mend = context.mend_quoted_colons
    includes = Includes(loader, outside, repository, done.warnings, mend, child, done.missing)
    done.texts = includes.texts
    done.blocks = includes.blocks
    config = includes.main(text, context.config_path, context.inputs)
    partial = bool(done.missing)
    config, done.bases = extend(config, partial)
    if any("!reference" in text for text in done.texts.values()):
        config = resolve(config, partial)
    done.merged = config
    done.root = checked(config, done.warnings, partial)
    done.warnings += cautions(done.root)
    top = written_variables(done.root.variables, "global")
    variables = [*early, *top.values(), *outer_variables(context)]
    done.workflow_circumstances = Circumstances(by_name(variables), expander(variables), repository)
    rule = workflow_rule(done.root, done.workflow_circumstances)
    done.workflow_rule = rule
    if rule is None or rule.when == "never":
        done.pipeline = Pipeline([], [], predefined=known, all_stages=done.root.stages)
        return done.pipeline
    top |= written_variables(rule.variables, "workflow")
    name = pipeline_name(done.root.workflow.name, [*known, *top.values(), *outer_variables(context)])
    if name:
        known = [*known, Variable("CI_PIPELINE_NAME", name, "predefined")]
    done.builder = Builder(done.root, context, repository, known, top)
    jobs = done.builder.jobs()
    needs_graph.check_present(jobs)
    done.pipeline = pipeline(done.root, name, known, top, rule, jobs)
    return done.pipeline


def checked(config: Map, warnings: list[Finding], partial: bool = False) -> Root:
    """The configuration read and checked as a whole. Raises LanguageError with all that is wrong, and always where
    it is `partial`: nothing can be made of a part. What the rest may hold is then not said to be missing.
    """
    findings: list[Finding] = []
    read = root(config, findings, partial)
    findings += check_stages(read)
    findings += needs_graph.check(read, needs_graph.Jobs(read), config)
    told = [item for item in findings if item.severity == "warning"]
    warnings += told
    if len(told) == len(findings):
        findings += deployments.check(read)
    errors = [item for item in findings if item.severity == "error" and not (partial and item.check == UNDEFINED)]
    if errors or partial:
        raise LanguageError(sorted(errors, key=lambda item: (item.file, item.line, item.column)))
    return read


def check_stages(read: Root) -> list[Finding]:
    """Jobs whose stage is none of the file's."""
    found = []
    names = ", ".join(read.stages)
    for job in read.jobs:
        stage = "test" if job.get("stage") is None else job.get("stage")
        if stage not in read.stages:
            text = f"{job.name} job: chosen stage {stage} does not exist; available stages are {names}"
            if job.get("stage") is None:
                hint: str | None = "a job without `stage:` belongs to the stage test: say which it belongs to"
            else:
                hint = did_you_mean(stage, read.stages) or f"add `{stage}` to `stages:`"
            found.append(finding(text, job.source.at("stage"), hint, check=UNDEFINED))
    return found


def workflow_rule(read: Root, circumstances: Circumstances) -> Rule | None:
    """The workflow's rule that makes the pipeline; an empty one where there are no rules; None: no pipeline."""
    if read.workflow.rules is None:
        return Rule(read.workflow.place)

    return first_match(read.workflow.rules, circumstances)


def pipeline_name(written: str | None, variables: list[Variable]) -> str | None:
    """The name that `workflow:name` gives, with variables replaced; None where that leaves nothing."""
    if not written:
        return None
    name = expand(written, expander(variables)(written)).strip()
    return name[:MAX_NAME] or None


def pipeline(
    read: Root, name: str | None, known: list[Variable], top: dict[str, Variable], rule: Rule, jobs: list[Job]
) -> Pipeline:
    """The pipeline of the jobs that were added; none where only `.pre` and `.post` have any."""
    used = {job.stage for job in jobs}
    edges_only = used <= {FIRST, LAST}
    return Pipeline(
        stages=[] if edges_only else [stage for stage in read.stages if stage in used],
        jobs=[] if edges_only else jobs,
        name=name,
        variables=list(top.values()),
        auto_cancel={**read.workflow.auto_cancel, **(rule.auto_cancel or {})},
        predefined=known,
        all_stages=read.stages,
    )


def sourced(item: Finding, texts: dict[str, str]) -> Finding:
    """A finding with the line that it is about."""
    text = texts.get(item.file)
    if text is None or not item.line or item.source is not None:
        return item
    lines = lines_of(text)
    if item.line > len(lines):
        return item
    source = lines[item.line - 1].rstrip("\r")
    item = item if item.severity == "warning" else unseen(item, lines)
    at = source.find(item.part, item.column - 1) + 1 if item.part else 0
    return msgspec.structs.replace(item, source=source, column=at or item.column, part=None)


def unseen(item: Finding, lines: list[str]) -> Finding:
    """The finding; with a hint where its line, or the next, is indented with what only looks like a space."""
    for number in (item.line, item.line + 1):
        line = lines[number - 1] if number <= len(lines) else ""
        strange = next((char for char in line[: len(line) - len(line.lstrip(BLANK))] if char not in " \t"), None)
        if strange is not None:
            hint = f"line {number} begins with the character U+{ord(strange):04X}, which is no space: type it anew"
            return msgspec.structs.replace(item, hint=hint)
    return item


@lru_cache(maxsize=4)
def lines_of(text: str) -> list[str]:
    """The lines of a file, for all of its findings."""
    return text.split("\n")
