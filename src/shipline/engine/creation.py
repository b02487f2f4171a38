"""From a repository and a commit to a pipeline in the store: what `git push` is to GitLab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from shipline.engine.caches import with_keys
from shipline.engine.errors import EngineError
from shipline.engine.job_variables import OUTSIDE, given
from shipline.engine.numbering import reserved
from shipline.engine.pipelines import Pipelines
from shipline.engine.records import Commit, PipelineRecord, PipelineVariable, Project, ProjectVariable
from shipline.engine.releases import description_of
from shipline.engine.repository import Repository
from shipline.engine.scopes import for_rules, is_protected
from shipline.engine.selection import Selection, selected
from shipline.engine.sources import Elsewhere, sources
from shipline.engine.supported import cautions, refuse_unsupported
from shipline.language import Context, Finding, compile
from shipline.language.context import MergeRequest, Source
from shipline.language.expansion import expand, expand_all
from shipline.language.pipeline import Job, Pipeline
from shipline.language.values import NOWHERE

CONFIG_FILE = ".gitlab-ci.yml"


class Request(msgspec.Struct, frozen=True):
    """What is asked for besides the commit. `jobs`: which of them, all by default. `changed`: the paths that
    `rules:changes` looks at; UNSET asks the repository; `said`: those that somebody said. `inputs` answer the
    file's `spec:inputs`. `elsewhere`: what includes may name outside of the repository, `projects` the directories
    of other projects by path."""

    source: Source = "push"
    variables: list[PipelineVariable] = []
    jobs: Selection = Selection()
    merge_request: MergeRequest | None = None
    schedule_description: str = ""
    changed: list[str] | msgspec.UnsetType | None = msgspec.UNSET
    said: list[str] = []
    inputs: dict[str, Any] = {}
    config_path: str = CONFIG_FILE
    registry: str = ""
    elsewhere: Elsewhere = Elsewhere()
    projects: dict[str, str] = {}


class Plan(msgspec.Struct, frozen=True):
    """A pipeline that can be created: compiled, and nothing in it that can't be carried out."""

    project: Project
    commit: Commit
    request: Request
    compiled: Pipeline
    iid: int

    @property
    def warnings(self) -> list[Finding]:
        """What is dubious in the configuration."""
        return [*self.compiled.warnings, *cautions(self.compiled)]

    def create(self, pipelines: Pipelines) -> PipelineRecord:
        """Stores the pipeline; what may start is pending."""
        return pipelines.create(
            self.project,
            self.commit,
            lean(self.compiled),
            self.request.source,
            self.request.variables,
            merge_request=self.request.merge_request,
            projects=self.request.projects,
            changed=self.request.said,
            iid=self.iid,
        )


@contextmanager
def planned(
    pipelines: Pipelines, repository: Repository, commit: Commit, request: Request | None = None
) -> Iterator[Plan]:
    """Compiles the commit's configuration. Inside, the pipeline has a number of its own and may be created.

    Raises LanguageError for a wrong configuration, and EngineError for what can't be carried out, and when the
    pipeline would have no job.
    """
    request = request or Request()
    project = pipelines.store.project(str(repository.path))
    with reserved(pipelines.store, project.id) as iid:
        yield plan_pipeline(pipelines, project, repository, commit, request, iid)


def plan_pipeline(
    pipelines: Pipelines, project: Project, repository: Repository, commit: Commit, request: Request, iid: int
) -> Plan:
    """What `planned` gives, with a number that was taken."""
    compiled = compile_commit(pipelines, project, repository, commit, request, iid)
    if not compiled.jobs:
        raise EngineError(
            f"No job of {request.config_path} is for {_described(commit)}: nothing to run. "
            "`shipline explain` says why each job is left out."
        )
    compiled = selected(compiled, request.jobs)
    refuse_unsupported(compiled)
    compiled = with_keys(compiled, repository, commit.sha)
    return Plan(project, commit, request, compiled, iid)


def compile_commit(
    pipelines: Pipelines, project: Project, repository: Repository, commit: Commit, request: Request, iid: int
) -> Pipeline:
    """What the language makes of the commit's configuration."""
    text = repository.read(commit.sha, request.config_path)
    if text is None:
        raise EngineError(_no_configuration(repository, commit, request.config_path))
    store = pipelines.store
    context = context_of(project, repository, commit, request, store.variables(project.id), iid)
    context = msgspec.structs.replace(context, release_description=description_of(store, project.id, commit))
    return compile(text, context, sources(repository, commit.sha, request.elsewhere))


def context_of(
    project: Project,
    repository: Repository,
    commit: Commit,
    request: Request,
    kept: list[ProjectVariable],
    iid: int,
) -> Context:
    """The circumstances that the configuration may ask about. `iid`: the pipeline's number in its project."""
    protected = is_protected(commit)
    facts = repository.facts() | ({"registry": request.registry} if request.registry else {})
    return Context(
        **facts,
        ref=commit.ref,
        tag=commit.is_tag,
        sha=commit.sha,
        before_sha=commit.before_sha,
        source=request.source,
        default_branch=commit.default_branch,
        ref_protected=protected,
        project_id=project.id,
        commit_message=commit.message,
        commit_author=commit.author,
        commit_timestamp=commit.timestamp,
        tag_message=commit.tag_message or "",
        changed=repository.changed(commit) if request.changed is msgspec.UNSET else request.changed,
        merge_request=request.merge_request,
        schedule_description=request.schedule_description,
        inputs=request.inputs,
        config_path=request.config_path,
        pipeline_iid=iid,
        variables=given(request.variables),
        project_variables=for_rules(kept, protected, "project"),
        mend_quoted_colons=True,
    )


def lean(compiled: Pipeline) -> Pipeline:
    """What running needs of a compiled pipeline: without the places of the text, and without what each job repeats
    of the pipeline's variables or is kept elsewhere (the project's variables are secrets, and may change)."""
    shared = {(v.key, v.value) for v in compiled.predefined}
    jobs = []
    for job in map(placed, compiled.jobs):
        own = [
            msgspec.structs.replace(v, place=NOWHERE)
            for v in job.variables
            if v.level not in OUTSIDE and (v.level != "predefined" or (v.key, v.value) not in shared)
        ]
        places = {"trigger": job.at("trigger")} if job.trigger else {}
        jobs.append(msgspec.structs.replace(job, variables=own, places=places, values={}))
    return msgspec.structs.replace(compiled, jobs=jobs, variables=[], warnings=[])


def placed(job: Job) -> Job:
    """The job with variables replaced in what decides where and when it runs: tags and resource group."""
    if "$" not in "".join((*job.tags, job.resource_group or "")):
        return job
    values = {variable.key: variable.value for variable in expand_all(job.variables)}
    group = expand(job.resource_group, values) if job.resource_group else None
    tags = [expand(tag, values, keep_undefined=True) for tag in job.tags]
    return msgspec.structs.replace(job, tags=tags, resource_group=group or None)


def _no_configuration(repository: Repository, commit: Commit, path: str) -> str:
    if (repository.path / path).exists() and not commit.dirty:
        return (
            f"{repository.path / path} is not in commit {commit.sha[:8]}. Commit it, or use --dirty to run "
            "with uncommitted changes."
        )
    other = path.removesuffix(".yml") + ".yaml"
    spelt = f" {other} is read where it is named: --file {other}." if repository.read(commit.sha, other) else ""
    return f"There is no {path} in {repository.path} ({_described(commit)}).{spelt}"


def _described(commit: Commit) -> str:
    kind = "tag" if commit.is_tag else "branch"
    return f"commit {commit.sha[:8]} of the {kind} {commit.ref}"
