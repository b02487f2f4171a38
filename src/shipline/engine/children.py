"""The configuration of a child pipeline: what `trigger:include` names, compiled for the commit of its parent.

To the language it is a file that has nothing but the include. What is wrong with that file itself is told of the
trigger job, where it is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from shipline.engine.bridges import Asked
from shipline.engine.caches import with_keys
from shipline.engine.errors import EngineError
from shipline.engine.live import Live
from shipline.engine.repository import Repository
from shipline.engine.store import Store
from shipline.engine.supported import cautions, refuse_unsupported
from shipline.language import Context, Finding, LanguageError, compile
from shipline.language.loader import Loaded, Loader, NotLoaded, Origin, no_artifact
from shipline.language.pipeline import Job, Pipeline

ITSELF = "trigger:include"
"""What the file is called that only includes."""
SHARED = ("CI_CONFIG_PATH", "CI_CONFIG_REF_URI", "CI_RELEASE_DESCRIPTION")
"""Predefined variables that a child has from its parent, where that has them."""
NO_JOBS = (
    "Pipeline will not run for the selected trigger. "
    "The rules configuration prevented any jobs from being added to the pipeline."
)

MAX_ARCHIVED = 5 << 20
"""Bytes that a file in an archive may have."""


class WithArtifacts:
    """A loader that also knows what the parent's jobs have made (`shipline.language.loader.Loader`): `archives` are
    the zip files of their artifacts, by the job's name."""

    def __init__(self, loader: Loader, archives: Mapping[str, Path]) -> None:
        self.loader = loader
        self.archives = archives

    def load(self, origin: Origin) -> Loaded:
        if origin.kind != "artifact":
            return self.loader.load(origin)
        archive = self.archives.get(origin.job or "")
        if archive is None:
            raise no_artifact(origin)
        return Loaded(archived(archive, origin), origin)

    def paths(self, project: str | None = None, ref: str | None = None) -> Sequence[str]:
        return self.loader.paths(project, ref)

    def changed(self, compare_to: str) -> Sequence[str] | None:
        return self.loader.changed(compare_to)


def archived(archive: Path, origin: Origin) -> str:
    """The text of a file in a job's artifacts. Raises NotLoaded."""
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(archive) as file:
            found = file.getinfo(origin.path)
            if found.file_size > MAX_ARCHIVED:
                raise NotLoaded(f"`{origin.path}` of job `{origin.job}` is larger than {MAX_ARCHIVED >> 20} MB")
            with file.open(found) as content:
                return content.read(MAX_ARCHIVED).decode("utf-8-sig", "replace")
    except KeyError:
        raise NotLoaded(
            f"Path `{origin.path}` does not exist inside the `{origin.job}` artifacts archive!"
        ) from None
    except (OSError, BadZipFile) as error:
        raise NotLoaded(f"The artifacts of job `{origin.job}` cannot be read: {error}") from None


def context_of_child(context: Context, parent: Live, asked: Asked) -> Context:
    """The circumstances of a child: those of its commit, in the name of the parent's event."""
    of_parent = {v.key: v.value for v in parent.compiled.predefined if v.key in SHARED}
    known = {**context.extra_predefined, "CI_CONFIG_PATH": context.config_path, **of_parent}
    return with_upstream(msgspec.structs.replace(context, config_path=ITSELF, extra_predefined=known), asked)


def with_upstream(context: Context, asked: Asked) -> Context:
    """The circumstances of a pipeline that a trigger job asked for."""
    above = {
        "pipeline_id": asked.parent.id,
        "project_id": asked.parent.project_id,
        "job_id": asked.bridge.id,
    }
    return msgspec.structs.replace(context, upstream=above)


def compile_child(asked: Asked, context: Context, loader: Loader, repository: Repository) -> Pipeline:
    """The child's pipeline. Raises LanguageError for a wrong configuration, EngineError for one without a job or
    with something that cannot be carried out."""
    try:
        compiled = compile(text_of(asked), context, loader)
    except LanguageError as error:
        error.findings = [_placed(finding, asked.definition) for finding in error.findings]
        raise
    return checked(compiled, repository, context.sha)


def checked(compiled: Pipeline, repository: Repository, sha: str) -> Pipeline:
    """A downstream pipeline that can be carried out. Raises EngineError."""
    if not compiled.jobs:
        raise EngineError(NO_JOBS)
    refuse_unsupported(compiled)
    return with_keys(compiled, repository, sha)


def note_warnings(store: Store, asked: Asked, compiled: Pipeline) -> None:
    """What is dubious in the configuration of a pipeline that has been made stands in the trigger job's log."""
    warnings = [*compiled.warnings, *cautions(compiled)]
    if warnings:
        text = "".join(f"WARNING: {_placed(warning, asked.definition)}\n" for warning in warnings)
        store.write_trace(asked.bridge.id, 0, text.encode())


def text_of(asked: Asked) -> str:
    """The file: one include, or several. Inputs of the trigger are those of each include, unless it has its own."""
    return json.dumps({"include": [_include(item, asked.inputs) for item in asked.includes]}, ensure_ascii=False)


def _include(item: Any, inputs: dict[str, Any]) -> Any:
    if not inputs:
        return item
    if isinstance(item, str):
        item = {"remote" if item.startswith(("http://", "https://")) else "local": item}
    return {**item, "inputs": {**inputs, **(item.get("inputs") or {})}}


def _placed(finding: Finding, definition: Job) -> Finding:
    if finding.file != ITSELF:
        return finding
    place = definition.at("trigger")
    return msgspec.structs.replace(finding, file=place.file, line=place.line, column=place.column, source=None)
