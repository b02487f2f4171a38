"""/projects/:id/ci/lint: whether a configuration is right, as a file or as a pipeline of a ref of the project."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from shipline.engine.errors import EngineError
from shipline.engine.numbering import upcoming
from shipline.engine.repository import Repository
from shipline.engine.supported import cautions
from shipline.language import Context, LanguageError, compile, lint, merged
from shipline.language.masking import hidden, secrets
from shipline.language.merge import as_yaml
from shipline.language.pipeline import Job, Pipeline
from shipline.language.policies import DEFAULT_ONLY
from shipline.language.static import StaticJob, static_jobs
from shipline.server import permissions as may
from shipline.server.api import shapes
from shipline.server.api.shapes import Shape
from shipline.server.creation import NO_JOBS, Order, config_path, context_of
from shipline.server.git import content
from shipline.server.http.answers import no_such, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint
from shipline.server.includes import ServerSources

LINTED_A_MINUTE = 120
KINDS = {"project": "file"}
"""GitLab's names of the kinds of includes, where they are others than the keywords."""


class Wanted(msgspec.Struct, frozen=True):
    """What is to be linted: a text as of a commit, for a ref where a pipeline is simulated."""

    project: Any
    sha: str
    text: str | None
    ref: str
    simulated: bool


async def lint_repository(call: Call) -> Response:
    """GET: the configuration as it is in the repository."""
    project = call.project(may.REPORTER)
    _exclusive(call, "sha", "content_ref")
    _exclusive(call, "ref", "dry_run_ref")
    if not await asyncio.to_thread(content.resolve, Path(project.path), project.default_branch):
        raise no_such("Repository")
    wanted = call.text("content_ref") or call.text("sha") or project.default_branch
    sha = await asyncio.to_thread(content.resolve, Path(project.path), wanted)
    if sha is None:
        raise no_such("Commit")
    ref = call.text("dry_run_ref") or call.text("ref") or project.default_branch
    return await _linted(call, Wanted(project, sha, None, ref, call.boolean("dry_run")))


async def lint_text(call: Call) -> Response:
    """POST: a configuration that is sent; 200 also when it is wrong."""
    project = call.project(may.DEVELOPER)
    call.required("content")
    ref = call.text("ref") or project.default_branch
    sha = await asyncio.to_thread(content.resolve, Path(project.path), project.default_branch)
    if sha is None:
        raise no_such("Commit")
    return await _linted(call, Wanted(project, sha, call.text("content"), ref, call.boolean("dry_run")))


def _exclusive(call: Call, *names: str) -> None:
    if all(call.given(name) for name in names):
        raise wrong_parameter(f"{', '.join(names)} are mutually exclusive")


async def _linted(call: Call, wanted: Wanted) -> Response:
    user, project = call.user(), wanted.project
    call.limit("lint", str(user.user_id), LINTED_A_MINUTE)
    order = Order(project=project, ref=wanted.ref, caller=user, source="push")
    repository = call.instance.projects.repository(project, call.instance.settings.url)
    try:
        commit = await asyncio.to_thread(repository.commit, wanted.ref)
    except EngineError:
        repository.close()
        if wanted.simulated:
            return call.json(_answer(["Reference not found"], []))
        raise no_such("Commit") from None
    try:
        context = context_of(call.instance, order, commit, upcoming(call.instance.store, project.id))
        loader = ServerSources(call.instance, user, repository, wanted.sha, project.full_path)
        shape = await asyncio.to_thread(_shape, repository, wanted, context, loader)
    finally:
        repository.close()
    values = secrets(context)
    shape["includes"] = [
        {key: hidden(value, values) if isinstance(value, str) else value for key, value in included.items()}
        for included in _includes(call, wanted, loader)
    ]
    if not call.boolean("include_jobs"):
        shape.pop("jobs", None)
    return call.json(shape)


def _shape(repository: Repository, wanted: Wanted, context: Context, loader: ServerSources) -> Shape:
    path = config_path(wanted.project)
    text = repository.read(wanted.sha, path) if wanted.text is None else wanted.text
    if text is None:
        return _answer(["Please provide content of .gitlab-ci.yml"], [])
    findings = lint(text, context, loader)
    errors = [str(finding) for finding in findings if finding.severity == "error"]
    warnings = [str(finding) for finding in findings if finding.severity != "error"]
    if errors:
        return _answer(errors, warnings)
    try:
        compiled = compile(text, context, loader)
        warnings += [str(finding) for finding in cautions(compiled)]
        shape = _answer([NO_JOBS] if wanted.simulated and not compiled.jobs else [], warnings)
        shape["merged_yaml"] = as_yaml(merged(text, context, loader))
        shape["jobs"] = _simulated(compiled) if wanted.simulated else _static(static_jobs(text, context, loader))
    except LanguageError as error:
        return _answer([str(finding) for finding in error.findings], warnings)
    return shape


def _answer(errors: list[str], warnings: list[str]) -> Shape:
    return {"valid": not errors, "errors": errors, "warnings": warnings, "merged_yaml": None, "includes": []}


def _simulated(pipeline: Pipeline) -> list[Shape]:
    """The jobs that a pipeline would have, by stage."""
    return [_job(job) for job in sorted(pipeline.jobs, key=lambda job: job.stage_index)]


def _static(jobs: list[StaticJob]) -> list[Shape]:
    """All jobs of the file, by stage."""
    found = []
    for static in sorted(jobs, key=lambda static: static.job.stage_index):
        job = static.job
        only = None if static.has_rules else static.only or DEFAULT_ONLY
        needs = [{"name": need.job} for need in job.needs] if job.needs is not None else None
        found.append(_job(job) | {"only": only, "except": static.except_, "needs": needs})
    return found


def _job(job: Job) -> Shape:
    return {
        "name": job.name,
        "stage": job.stage,
        "before_script": job.before_script,
        "script": job.script,
        "after_script": job.after_script,
        "tag_list": job.tags,
        "environment": job.environment.get("name"),
        "when": job.when,
        "allow_failure": job.allow_failure,
    }


def _includes(call: Call, wanted: Wanted, loader: ServerSources) -> list[Shape]:
    """The files that were included. Addresses are those of the API, which serves them."""
    found = []
    for origin, loaded in loader.loaded:
        place = loaded.origin
        project = place.project or wanted.project.full_path
        blob = raw = None
        if origin.kind == "remote":
            raw = place.path
        elif origin.kind != "template":
            sha = (place.ref or "HEAD") if place.project else wanted.sha
            file = f"{shapes.base(call)}/api/v4/projects/{quote(project, safe='')}/repository/files"
            blob = f"{file}/{quote(place.path.lstrip('/'), safe='')}?ref={sha}"
            raw = f"{file}/{quote(place.path.lstrip('/'), safe='')}/raw?ref={sha}"
        extra = {"project": place.project, "ref": origin.ref or "HEAD"} if origin.kind == "project" else {}
        found.append(
            {
                "type": KINDS.get(origin.kind, origin.kind),
                "location": str(origin) if origin.kind == "component" else origin.path,
                "blob": blob,
                "raw": raw,
                "extra": extra,
                "context_project": (origin.project if origin.kind == "local" else None) or wanted.project.full_path,
                "context_sha": wanted.sha,
            }
        )
    return found


_BOTH = "dry_run:bool include_jobs:bool ref"
ENDPOINTS = [
    Endpoint(
        "GET",
        "/projects/{id}/ci/lint",
        lint_repository,
        takes=f"content_ref sha dry_run_ref {_BOTH}",
        gives="Lint",
    ),
    Endpoint("POST", "/projects/{id}/ci/lint", lint_text, takes=f"content! {_BOTH}", gives="Lint", status=200),
]
