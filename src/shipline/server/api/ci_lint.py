"""/projects/:id/ci/lint: whether a configuration is right, for a ref of the project."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from starlette.responses import Response

from shipline.engine.errors import EngineError
from shipline.engine.git import GitCall
from shipline.engine.repository import Repository
from shipline.language import Context, LanguageError, compile, lint, merged
from shipline.language.merge import as_yaml
from shipline.language.pipeline import Job
from shipline.server import permissions as may
from shipline.server.api.shapes import Shape
from shipline.server.creation import Order, config_path, context_of
from shipline.server.http.answers import no_such
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint
from shipline.server.includes import ServerSources


async def lint_repository(call: Call) -> Response:
    """GET: the configuration as it is in the repository."""
    project = call.project(may.REPORTER)
    ref = call.text("content_ref") or call.text("sha") or project.default_branch
    if not GitCall(Path(project.path), "rev-parse", "-q", "--verify", f"{ref}^{{commit}}").output(missing=b""):
        raise no_such("Commit")
    return await _linted(call, project, ref, None)


async def lint_text(call: Call) -> Response:
    """POST: a configuration that is sent; 200 also when it is wrong."""
    project = call.project(may.DEVELOPER)
    call.required("content")
    return await _linted(call, project, call.text("ref") or project.default_branch, call.text("content"))


async def _linted(call: Call, project: Any, ref: str, text: str | None) -> Response:
    user = call.user()
    call.limit("lint", str(user.user_id), 120)
    order = Order(project=project, ref=ref, caller=user, source="push")
    repository = call.instance.projects.repository(project, call.instance.settings.url)
    try:
        commit = await asyncio.to_thread(repository.commit, ref)
        context = context_of(call.instance, order, commit)
        path = config_path(project)
        loader = ServerSources(call.instance, user, repository, commit.sha, project.full_path)
        shape = await asyncio.to_thread(_shape, repository, commit.sha, context, path, text, loader)
    except EngineError:
        raise no_such("Commit") from None
    finally:
        repository.close()
    if not call.boolean("include_jobs"):
        shape.pop("jobs", None)
    return call.json(shape)


def _shape(
    repository: Repository, sha: str, context: Context, path: str, text: str | None, loader: ServerSources
) -> Shape:
    text = repository.read(sha, path) if text is None else text
    if text is None:
        return _answer(["Please provide content of .gitlab-ci.yml"], [])
    findings = lint(text, context, loader)
    errors = [str(finding) for finding in findings if finding.severity == "error"]
    warnings = [str(finding) for finding in findings if finding.severity != "error"]
    if errors:
        return _answer(errors, warnings)
    shape = _answer([], warnings)
    try:
        shape["merged_yaml"] = as_yaml(merged(text, context, loader))
        shape["jobs"] = [_job(job) for job in compile(text, context, loader).jobs]
    except LanguageError as error:
        return _answer([str(finding) for finding in error.findings], warnings)
    return shape


def _answer(errors: list[str], warnings: list[str]) -> Shape:
    return {"valid": not errors, "errors": errors, "warnings": warnings, "merged_yaml": None, "includes": []}


def _job(job: Job) -> Shape:
    return {
        "name": job.name,
        "stage": job.stage,
        "before_script": job.before_script,
        "script": job.script,
        "after_script": job.after_script,
        "tag_list": job.tags,
        "only": None,
        "except": None,
        "environment": job.environment.get("name"),
        "when": job.when,
        "allow_failure": job.allow_failure,
        "needs": [{"name": need.job} for need in job.needs] if job.needs is not None else None,
    }


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
