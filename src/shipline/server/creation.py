"""From a ref of a project to a pipeline: what a push, a schedule, a trigger and the API have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from shipline.engine.bridges import Asked
from shipline.engine.caches import with_keys
from shipline.engine.children import with_upstream
from shipline.engine.creation import CONFIG_FILE, lean
from shipline.engine.errors import EngineError, Unsupported
from shipline.engine.job_variables import given
from shipline.engine.live import new_pipeline
from shipline.engine.numbering import reserved
from shipline.engine.records import Commit, PipelineRecord, PipelineVariable
from shipline.engine.records import Project as EngineProject
from shipline.engine.releases import description_of
from shipline.engine.repository import Repository
from shipline.engine.scopes import for_rules
from shipline.engine.states import Status
from shipline.engine.supported import cautions, refuse_unsupported
from shipline.language import Context, Finding, LanguageError, compile
from shipline.language.context import MergeRequest, Source
from shipline.language.pipeline import Pipeline
from shipline.server.includes import ServerSources
from shipline.server.instance import VERSION, Instance
from shipline.server.permissions import Caller
from shipline.server.project_settings import ROLES, settings_of
from shipline.server.store import INSTANCE

NO_JOBS = (
    "Pipeline will not run for the selected trigger. "
    "The rules configuration prevented any jobs from being added to the pipeline."
)
GIVEN_BY_PEOPLE = ("push", "api", "web", "trigger", "pipeline")
"""The sources of pipelines whose variables somebody gives who needs the project's role for it."""
KEPT_WHEN_WRONG = ("push", "schedule", "merge_request_event")
"""The sources of pipelines about which nobody waits for an answer: what is wrong leaves one that has failed."""
NO_RIGHT = (
    "You do not have sufficient permission to run a pipeline on '{ref}'. "
    "Please select a different branch or contact your administrator for assistance."
)


class Order(msgspec.Struct, frozen=True):
    """What is asked for. `ref`: a branch or tag, by its full name or not. `before_sha`: where the ref stood before
    a push. `merge_request`: the one that the pipeline is for."""

    project: Any
    ref: str
    caller: Caller
    source: Source = "push"
    before_sha: str | None = None
    variables: list[PipelineVariable] = []
    inputs: dict[str, Any] = {}
    schedule: str = ""
    merge_request: MergeRequest | None = None


async def create_pipeline(
    instance: Instance,
    order: Order,
    warn: Callable[[list[Finding]], None] = lambda findings: None,
    asked: Asked | None = None,
    failed: Callable[[PipelineRecord], None] = lambda record: None,
) -> PipelineRecord:
    """`warn` is told what is dubious in the configuration. A script line that a colon makes a mapping is taken as
    the text it looks like, with such a warning: lint is as strict as GitLab. `asked`: the trigger job that the
    pipeline is made for. `failed` is told of the pipeline that a wrong configuration leaves, where it leaves one.

    Raises LanguageError for a wrong configuration; EngineError for what cannot be carried out, for a ref or a
    file that is not there, and when the pipeline would have no job."""
    project = order.project
    needed = ROLES[settings_of(project).pipeline_variables_role]
    given = order.variables and order.source in GIVEN_BY_PEOPLE
    if given and instance.projects.level(project, order.caller) < needed:
        raise EngineError("Insufficient permissions to set pipeline variables")
    with reserved(instance.store, project.id) as iid:
        return await _create(instance, order, iid, warn, asked, failed)


async def _create(
    instance: Instance,
    order: Order,
    iid: int,
    warn: Callable[[list[Finding]], None],
    asked: Asked | None,
    failed: Callable[[PipelineRecord], None],
) -> PipelineRecord:
    """The pipeline with the number that was taken for it."""
    project = order.project
    repository = instance.projects.repository(project, instance.settings.url)
    try:
        commit = await asyncio.to_thread(_commit, repository, order)
        kind = "tag" if commit.is_tag else "branch"
        if order.source != "push" and not instance.projects.may_run(project, order.caller, kind, commit.ref):
            raise EngineError(NO_RIGHT.format(ref=commit.ref))
        protected = bool(instance.projects.protection(project.id, kind, commit.ref))
        protected &= order.merge_request is None or order.merge_request.target_protected
        commit = msgspec.structs.replace(commit, protected=protected)
        context = context_of(instance, order, commit, iid)
        context = msgspec.structs.replace(context, mend_quoted_colons=True)
        context = with_upstream(context, asked) if asked is not None else context
        loader = ServerSources(instance, order.caller, repository, commit.sha, project.full_path)
        compiled = await asyncio.to_thread(_compile, repository, commit, context, config_path(project), loader)
        refuse_unsupported(compiled)
    except (LanguageError, Unsupported) as error:
        if order.source in KEPT_WHEN_WRONG:
            failed(note_pipeline(instance, order, commit, "failed", iid=iid, yaml_errors=str(error)))
        raise
    finally:
        repository.close()
    if not compiled.jobs:
        raise EngineError(NO_JOBS)
    warnings = [*compiled.warnings, *cautions(compiled)]
    warn(warnings)
    engine_project = EngineProject(project.id, project.path)
    with instance.store.transaction():
        record = instance.pipelines.create(
            engine_project,
            commit,
            lean(compiled),
            order.source,
            list(order.variables),
            upstream=asked.bridge if asked is not None else None,
            merge_request=order.merge_request,
            warnings=[str(finding) for finding in warnings],
            iid=iid,
        )
        instance.downstream.own(record, order.caller)
        keep_commit(Path(project.path), record)
    return record


async def note_skipped(instance: Instance, order: Order) -> None:
    """A pipeline that is skipped, where there would be one. Raises EngineError for a ref that is not there."""
    repository = instance.projects.repository(order.project, instance.settings.url)
    try:
        commit = await asyncio.to_thread(_commit, repository, order)
        there = await asyncio.to_thread(repository.read, commit.sha, config_path(order.project))
    finally:
        repository.close()
    if there is not None:
        note_pipeline(instance, order, commit, "skipped")


def note_pipeline(instance: Instance, order: Order, commit: Commit, status: Status, **more: Any) -> PipelineRecord:
    """A pipeline without jobs that has ended before it began: skipped, or failed."""
    nothing, now = Pipeline([], []), instance.pipelines.clock()
    record = new_pipeline(
        order.project.id, commit, nothing, now, source=order.source, status=status, finished_at=now, **more
    )
    record = msgspec.structs.replace(record, merge_request=order.merge_request)
    with instance.store.transaction():
        record, _ = instance.store.add_pipeline(record, nothing, [])
        instance.downstream.own(record, order.caller)
    return record


def config_path(project: Any) -> str:
    return project.config_path or CONFIG_FILE


def _commit(repository: Repository, order: Order) -> Commit:
    """The commit of the ref as it is now."""
    try:
        commit = repository.commit(order.ref)
    except EngineError:
        raise EngineError("Reference not found") from None
    if order.ref.removeprefix("refs/tags/" if commit.is_tag else "refs/heads/") != commit.ref:
        raise EngineError("Reference not found")
    if order.before_sha is not None:
        return msgspec.structs.replace(commit, before_sha=order.before_sha)
    return commit


def _compile(
    repository: Repository, commit: Commit, context: Context, path: str, loader: ServerSources
) -> Pipeline:
    text = repository.read(commit.sha, path)
    if text is None:
        raise EngineError("Missing CI config file")
    if context.source == "push":
        context = msgspec.structs.replace(context, changed=repository.changed(commit))
    elif (about := context.merge_request) is not None and about.diff_base_sha:
        context = msgspec.structs.replace(context, changed=repository.differing(about.diff_base_sha, commit.sha))
    compiled = compile(text, context, loader)
    return with_keys(compiled, repository, commit.sha)


def context_of(instance: Instance, order: Order, commit: Commit, iid: int) -> Context:
    """The circumstances that the configuration may ask about. `iid`: the pipeline's number in its project."""
    project, caller = order.project, order.caller
    store = instance.store
    protected = bool(commit.protected)

    return Context(
        ref=commit.ref,
        tag=commit.is_tag,
        sha=commit.sha,
        before_sha=commit.before_sha,
        source=order.source,
        default_branch=project.default_branch,
        ref_protected=protected,
        config_path=config_path(project),
        pipeline_iid=iid,
        project_id=project.id,
        project_name=project.full_path.rpartition("/")[2],
        project_path=project.full_path,
        project_title=project.name,
        project_description=project.description or "",
        project_visibility=project.visibility,
        namespace_id=project.namespace_id,
        commit_message=commit.message,
        commit_author=commit.author,
        commit_timestamp=commit.timestamp,
        tag_message=commit.tag_message or "",
        release_description=description_of(store, project.id, commit),
        user_id=caller.user_id,
        user_login=caller.username,
        user_name=caller.name,
        user_email=caller.email,
        server_url=instance.settings.url,
        server_version=VERSION,
        registry=instance.settings.registry,
        schedule_description=order.schedule,
        merge_request=order.merge_request,
        open_merge_requests=instance.merge_requests.references(project, commit),
        inputs=order.inputs,
        variables=given(order.variables),
        project_variables=for_rules(store.variables(project.id), protected, "project"),
        group_variables=[
            variable
            for group in instance.groups.lineage(project.namespace_id)
            for variable in for_rules(store.variables(-group.id), protected, "group")
        ],
        instance_variables=for_rules(store.variables(INSTANCE), protected, "instance"),
    )


def keep_commit(repository: Path, record: PipelineRecord) -> None:
    """A ref of the pipeline's own, so that its commit can be fetched whatever becomes of the branch. Written as git
    writes a ref, since a runner may ask for it in the next millisecond."""
    folder = repository / "refs" / "pipelines"
    folder.mkdir(exist_ok=True)
    part = folder / f"{record.id}.lock"
    part.write_text(f"{record.commit.sha}\n")
    part.rename(folder / str(record.id))
