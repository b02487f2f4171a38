"""From a repository and a commit to a pipeline in the store: what `git push` is to GitLab."""

from __future__ import annotations

import os

import msgspec

from shipline.engine.errors import EngineError
from shipline.engine.job_variables import OUTSIDE
from shipline.engine.pipelines import Pipelines
from shipline.engine.records import Commit, PipelineRecord, PipelineVariable, Project, ProjectVariable
from shipline.engine.repository import Repository
from shipline.engine.scopes import is_protected, visible
from shipline.engine.sources import Elsewhere, sources
from shipline.engine.supported import refuse_unsupported
from shipline.language import Context, Finding, compile
from shipline.language.context import Source
from shipline.language.expansion import expand, expand_all
from shipline.language.pipeline import Job, Pipeline, Variable
from shipline.language.values import NOWHERE

CONFIG_FILE = ".gitlab-ci.yml"


class Request(msgspec.Struct, frozen=True):
    """What is asked for besides the commit. `jobs`: only these, all when empty. `elsewhere`: what includes may
    name outside of the repository."""

    source: Source = "push"
    variables: list[PipelineVariable] = []
    jobs: list[str] = []
    registry: str = ""
    elsewhere: Elsewhere = Elsewhere()


class Plan(msgspec.Struct, frozen=True):
    """A pipeline that can be created: compiled, and nothing in it that can't be carried out."""

    project: Project
    commit: Commit
    request: Request
    compiled: Pipeline

    @property
    def warnings(self) -> list[Finding]:
        """What is dubious in the configuration."""
        return self.compiled.warnings

    def create(self, pipelines: Pipelines) -> PipelineRecord:
        """Stores the pipeline; what may start is pending."""
        return pipelines.create(
            self.project, self.commit, lean(self.compiled), self.request.source, self.request.variables
        )


def plan_pipeline(
    pipelines: Pipelines, repository: Repository, commit: Commit, request: Request | None = None
) -> Plan:
    """Compiles the commit's configuration; nothing is stored yet.

    Raises LanguageError for a wrong configuration, and EngineError for what can't be carried out, and when the
    pipeline would have no job.
    """
    request = request or Request()
    project = pipelines.store.project(str(repository.path))
    compiled = compile_commit(pipelines, project, repository, commit, request)
    if not compiled.jobs:
        raise EngineError(
            f"No job of {CONFIG_FILE} is for {_described(commit)}: nothing to run. "
            "`shipline explain` says why each job is left out."
        )
    if request.jobs:
        compiled = chosen(compiled, request.jobs)
    refuse_unsupported(compiled)
    return Plan(project, commit, request, compiled)


def compile_commit(
    pipelines: Pipelines, project: Project, repository: Repository, commit: Commit, request: Request
) -> Pipeline:
    """What the language makes of the commit's configuration."""
    text = repository.read(commit.sha, CONFIG_FILE)
    if text is None:
        raise EngineError(_no_configuration(repository, commit))
    context = context_of(project, repository, commit, request, pipelines.store.variables(project.id))
    return compile(text, context, sources(repository, commit.sha, request.elsewhere))


def context_of(
    project: Project, repository: Repository, commit: Commit, request: Request, kept: list[ProjectVariable]
) -> Context:
    """The circumstances that the configuration may ask about."""
    protected = is_protected(commit)
    login = _login()
    return Context(
        ref=commit.ref,
        tag=commit.is_tag,
        sha=commit.sha,
        before_sha=commit.before_sha,
        source=request.source,
        default_branch=commit.default_branch,
        ref_protected=protected,
        project_id=project.id,
        project_name=repository.project_path.rpartition("/")[2],
        project_path=repository.project_path,
        project_url=f"http://localhost/{repository.project_path}",
        commit_message=commit.message,
        commit_author=commit.author,
        commit_timestamp=commit.timestamp,
        tag_message=commit.tag_message or "",
        user_login=login,
        user_name=repository.settings.get("user.name", login),
        user_email=repository.settings.get("user.email", f"{login}@localhost"),
        registry=request.registry,
        changed=repository.changed(commit),
        variables=[Variable(v.key, v.value, "pipeline", public=False) for v in request.variables],
        project_variables=[
            Variable(v.key, v.value, "project", v.kind == "file", v.masked, v.raw, public=False)
            for v in visible(kept, protected, None)
        ],
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
        jobs.append(msgspec.structs.replace(job, variables=own, places={}, values={}))
    return msgspec.structs.replace(compiled, jobs=jobs, variables=[], warnings=[])


def placed(job: Job) -> Job:
    """The job with variables replaced in what decides where and when it runs: tags and resource group."""
    if "$" not in "".join((*job.tags, job.resource_group or "")):
        return job
    values = {variable.key: variable.value for variable in expand_all(job.variables)}
    group = expand(job.resource_group, values, keep_undefined=True) if job.resource_group else None
    tags = [expand(tag, values, keep_undefined=True) for tag in job.tags]
    return msgspec.structs.replace(job, tags=tags, resource_group=group)


def chosen(compiled: Pipeline, names: list[str]) -> Pipeline:
    """The pipeline with these jobs only. A name may be a group's (`test` for `test 1/3`); needs of jobs that are
    left out are dropped, since somebody who asks for one job wants that one now."""
    wanted = {job.name for job in compiled.jobs if job.name in names or job.group_name in names}
    for name in names:
        if not any(name in (job.name, job.group_name) for job in compiled.jobs):
            raise EngineError(
                f"This pipeline has no job '{name}'. It has: {', '.join(job.name for job in compiled.jobs)}."
            )
    jobs = []
    for job in compiled.jobs:
        if job.name in wanted:
            needs = None if job.needs is None else [need for need in job.needs if need.job in wanted]
            started = "on_success" if job.when in ("manual", "delayed") else job.when
            jobs.append(msgspec.structs.replace(job, needs=needs, when=started))
    stages = [stage for stage in compiled.stages if any(job.stage == stage for job in jobs)]
    return msgspec.structs.replace(compiled, jobs=jobs, stages=stages)


def _no_configuration(repository: Repository, commit: Commit) -> str:
    if (repository.path / CONFIG_FILE).exists() and not commit.dirty:
        return (
            f"{repository.path / CONFIG_FILE} is not in commit {commit.sha[:8]}. Commit it, or use --dirty to run "
            "with uncommitted changes."
        )
    return f"There is no {CONFIG_FILE} in {repository.path} ({_described(commit)})."


def _described(commit: Commit) -> str:
    kind = "tag" if commit.is_tag else "branch"
    return f"commit {commit.sha[:8]} of the {kind} {commit.ref}"


def _login() -> str:
    import pwd

    try:
        return os.environ.get("LOGNAME") or os.environ.get("USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return "user"
