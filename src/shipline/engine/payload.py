"""From a job that is to run to what a runner gets: GitLab's job payload."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from shipline.engine import sites
from shipline.engine.caches import caches
from shipline.engine.dependencies import Shelf, dependencies, reported, sources, uploads
from shipline.engine.id_tokens import Issuer, token_variables
from shipline.engine.job_inputs import for_payload
from shipline.engine.job_variables import Facts, job_variables
from shipline.engine.live import Live
from shipline.engine.records import Commit, JobRecord, PipelineRecord, ProjectVariable
from shipline.engine.run_steps import as_text, steps_of
from shipline.engine.scopes import is_protected
from shipline.engine.secrets import secrets_of
from shipline.language import pipeline as language
from shipline.protocol import payload as protocol

DEFAULT_TIMEOUT = 3600
DEFAULT_DEPTH = 20
FAILURE_REASONS = [
    "image_pull_failure",
    "runner_configuration_error",
    "runner_external_dependency_failure",
    "runner_interrupted",
    "job_canceled",
]
TOKEN_PREFIX = "glcbt-"


class Origin(msgspec.Struct, frozen=True):
    """Where a pipeline's jobs come from and who runs them. `instance_variables` hold for all projects;
    `timeout` and `depth` are the project's, for jobs that say nothing; no job gets more than `longest` seconds.
    `issuer` signs the jobs' ID tokens; `pages_url` is where the project's sites are.
    `separated_caches` and `cache_index`: see `shipline.engine.caches.caches`."""

    repository_url: str
    project_path: str
    project_name: str
    runner: str = "shipline"
    runner_tags: tuple[str, ...] = ()
    credentials: tuple[protocol.Credentials, ...] = ()
    runner_id: int = 1
    instance_variables: tuple[ProjectVariable, ...] = ()
    group_variables: tuple[tuple[ProjectVariable, ...], ...] = ()
    timeout: int = DEFAULT_TIMEOUT
    depth: int = DEFAULT_DEPTH
    longest: int | None = None
    issuer: Issuer | None = None
    pages_url: str = ""
    separated_caches: bool = True
    cache_index: int | None = None


def make_payload(
    live: Live,
    job: JobRecord,
    origin: Origin,
    project_variables: list[ProjectVariable],
    token: str = "",
    shelf: Shelf | None = None,
    others: Sequence[JobRecord] = (),
) -> protocol.JobPayload:
    """The payload of a job that a runner has just taken. It carries a token that is good for this job alone, made
    here unless it is given. `shelf` has the files of earlier jobs; `others` are jobs of other pipelines whose files
    this one gets as well."""
    definition = live.definitions[job.name]
    token = token or new_token()
    timeout = min(definition.timeout or origin.timeout, origin.longest or sys.maxsize)
    facts = Facts(
        project_variables,
        token,
        origin.repository_url,
        origin.runner,
        origin.runner_tags,
        timeout,
        origin.runner_id,
        origin.instance_variables,
        origin.group_variables,
    )
    earlier = [*others, *sources(live, definition)]
    variables = job_variables(live, job, facts, reported(earlier))
    if origin.pages_url:
        variables += sites.variables(definition, origin.pages_url, {v.key: v.value for v in variables})
    variables += token_variables(origin.issuer, live, job, variables, timeout, origin.runner_id)
    return protocol.JobPayload(
        id=job.id,
        token=token,
        job_info=protocol.JobInfo(
            id=job.id,
            name=job.name,
            stage=job.stage,
            project_id=live.record.project_id,
            project_name=origin.project_name,
            project_full_path=origin.project_path,
            pipeline_id=live.record.id,
            time_in_queue_seconds=max(0.0, (job.started_at or 0) - (job.queued_at or 0)),
            user_id=_number(variables, "GITLAB_USER_ID"),
        ),
        git_info=git_info(live.record, origin, variables),
        runner_info=protocol.RunnerInfo(timeout=timeout),
        variables=variables,
        steps=steps(definition, timeout),
        image=_image(definition.image) if definition.image else None,
        services=[_service(service) for service in definition.services],
        cache=caches(
            definition.cache,
            is_protected(live.record.commit),
            separated=origin.separated_caches,
            index=origin.cache_index,
        ),
        artifacts=uploads(definition.artifacts) if definition.artifacts else None,
        dependencies=dependencies(live, earlier, shelf, token),
        credentials=list(origin.credentials),
        hooks=[protocol.Hook(name, list(script)) for name, script in definition.extra.get("hooks", {}).items()],
        inputs=for_payload(definition, job.inputs) or None,
        run=as_text(definition) if steps_of(definition) else msgspec.UNSET,
        secrets=secrets_of(definition, variables) or None,
        features=protocol.Features(failure_reasons=FAILURE_REASONS),
    )


def new_token() -> str:
    """A job's token."""
    return TOKEN_PREFIX + base64.urlsafe_b64encode(os.urandom(24)).decode()


def _number(variables: list[protocol.Variable], key: str) -> int:
    written = next((variable.value for variable in variables if variable.key == key), "")
    return int(written) if written.isdecimal() else 0


def steps(definition: language.Job, timeout: int) -> list[protocol.Step]:
    """before_script and script share a shell, so they are one step; after_script is one of its own."""
    if steps_of(definition):
        return []
    script = protocol.Step("script", [*definition.before_script, *definition.script], timeout)
    if not definition.after_script:
        return [script]
    after = protocol.Step("after_script", list(definition.after_script), timeout, when="always", allow_failure=True)
    return [script, after]


def git_info(record: PipelineRecord, origin: Origin, variables: list[protocol.Variable]) -> protocol.GitInfo:
    """What to check out."""
    commit = record.commit
    written = next((v.value for v in variables if v.key == "GIT_DEPTH"), None)
    depth = origin.depth if written is None else depth_of(written)
    return protocol.GitInfo(
        repo_url=origin.repository_url,
        ref=commit.ref,
        sha=commit.sha,
        before_sha=commit.before_sha,
        ref_type="tag" if commit.is_tag else "branch",
        refspecs=_refspecs(record.id, commit, depth),
        depth=depth,
        repo_object_format="sha256" if len(commit.sha) == 64 else "sha1",
    )


def depth_of(written: str) -> int:
    """The number that GIT_DEPTH begins with; 0, which is all history, where it begins with none."""
    digits = written.strip()
    while digits and not digits.isdecimal():
        digits = digits[:-1]
    return int(digits or 0)


def _refspecs(pipeline_id: int, commit: Commit, depth: int) -> list[str]:
    """The commit itself (no ref may name it any more), and the branch or tag that the job sees; without a depth,
    all of them."""
    own = f"+{commit.sha}:refs/pipelines/{pipeline_id}"
    if not depth:
        return [own, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
    if commit.is_tag:
        return [own, f"+refs/tags/{commit.ref}:refs/tags/{commit.ref}"]
    return [own, f"+refs/heads/{commit.ref}:refs/remotes/origin/{commit.ref}"]


def _image(image: language.Image) -> protocol.Image:
    return protocol.Image(
        name=image.name,
        entrypoint=image.entrypoint,
        pull_policy=image.pull_policy,
        executor_opts=_options(image.docker, image.kubernetes),
    )


def _service(service: language.Service) -> protocol.Image:
    variables = [protocol.Variable(key, value, public=True) for key, value in service.variables.items()]
    return protocol.Image(
        name=service.name,
        alias=service.alias,
        command=service.command,
        entrypoint=service.entrypoint,
        variables=variables or None,
        pull_policy=service.pull_policy,
        executor_opts=_options(service.docker, service.kubernetes),
    )


def _options(docker: dict[str, Any], kubernetes: dict[str, Any]) -> dict[str, Any]:
    given = {"docker": docker, "kubernetes": kubernetes}
    return {name: options for name, options in given.items() if options}
