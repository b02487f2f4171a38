"""needs: jobs of this pipeline, of another project, of another pipeline."""

from __future__ import annotations

from typing import Any

import msgspec

from shipline.language.entry import Entry, boolean, required, text
from shipline.language.values import List, Map, Place

JOB_KEYS = ("job", "artifacts", "optional", "parallel")
PROJECT_KEYS = ("project", "ref", "job", "artifacts", "parallel")
PIPELINE_KEYS = ("pipeline", "job", "artifacts", "optional", "parallel")
MAX_CROSS_DEPENDENCIES = 5


class Needed(msgspec.Struct, frozen=True):
    """One need as written. `matrix`: the selected parts of a job with `parallel:matrix`."""

    job: str | None
    place: Place
    artifacts: bool = True
    optional: bool = False
    pipeline: str | None = None
    project: str | None = None
    ref: str | None = None
    matrix: list[dict[str, Any]] | None = None


def needs(entry: Entry, in_rule: bool = False, bridge: bool = False) -> list[Needed] | None:
    """The needs in order; None where the keyword is missing or wrong. `bridge`: those of a trigger job."""
    if entry.value is None:
        return None
    if isinstance(entry.value, Map) and not entry.value:
        entry.refuse("config can not be an empty hash", hint="needs: [] waits for nothing")
        return None
    if isinstance(entry.value, Map):
        items = [Entry(entry.value, entry.place, entry.path, entry.findings)]
    elif isinstance(entry.value, List):
        items = list(entry.flat_items())
    else:
        entry.refuse("config can only be a hash or an array", hint="needs: [name]")
        return None
    found = [need(Entry(item.value, item.place, f"{entry.path}:need", entry.findings), in_rule) for item in items]
    for item in found:
        if item is not None and item.pipeline is not None and item.job is None and not bridge:
            entry.refuse("config uses invalid types: bridge", item.place, "name the job whose artifacts are needed")
        elif item is not None and bridge and (item.project or (item.pipeline and item.job)):
            hint = "a trigger job can need only jobs of its own pipeline"
            entry.refuse("config uses invalid types: cross_dependency", item.place, hint)
    if sum(1 for item in found if item and (item.project or (item.pipeline and item.job))) > MAX_CROSS_DEPENDENCIES:
        entry.refuse(f"config must be less than or equal to {MAX_CROSS_DEPENDENCIES} needs of other pipelines")
    return [item for item in found if item is not None]


def need(entry: Entry, in_rule: bool) -> Needed | None:
    """One need: a name or a mapping."""
    value = entry.value
    if isinstance(value, str):
        if not value.strip():
            entry.refuse("can't be blank")
            return None
        return Needed(value, entry.place)
    if isinstance(value, Map) and "project" in value:
        return cross_project(entry, in_rule)
    if isinstance(value, Map) and "pipeline" in value:
        return cross_pipeline(entry, in_rule)
    if isinstance(value, Map) and "job" in value:
        return same_pipeline(entry)
    entry.refuse("has an unsupported type", hint="a job's name, or a mapping with `job`")
    return None


def same_pipeline(entry: Entry) -> Needed | None:
    entry.only(*JOB_KEYS)
    if not required(entry, "job") or (job := text(entry, "job")) is None:
        return None
    artifacts, optional = boolean(entry, "artifacts"), boolean(entry, "optional")
    matrix = selection(entry.child("parallel")) if entry.value.get("parallel") is not None else None
    return Needed(job, entry.place, artifacts is not False, optional is True, matrix=matrix)


def cross_project(entry: Entry, in_rule: bool) -> Needed | None:
    if in_rule:
        entry.refuse("config uses invalid types: cross_dependency", hint="rules:needs may not name other projects")
        return None
    entry.only(*PROJECT_KEYS)
    fine = [required(entry, key) for key in ("project", "ref", "job")]
    texts = [text(entry, key) for key in ("project", "ref", "job")]
    artifacts = boolean(entry, "artifacts")
    if not all(fine) or None in texts:
        return None
    project, ref, job = texts
    matrix = selection(entry.child("parallel")) if entry.value.get("parallel") is not None else None
    return Needed(job, entry.place, artifacts is not False, False, None, project, ref, matrix)


def cross_pipeline(entry: Entry, in_rule: bool) -> Needed | None:
    if in_rule:
        entry.refuse("config uses invalid types: bridge", hint="rules:needs may not name other pipelines")
        return None
    entry.only(*PIPELINE_KEYS)
    if not required(entry, "pipeline") or (pipeline := text(entry, "pipeline")) is None:
        return None
    job = text(entry, "job")
    artifacts, optional = boolean(entry, "artifacts"), boolean(entry, "optional")
    matrix = selection(entry.child("parallel")) if entry.value.get("parallel") is not None else None
    return Needed(job, entry.place, artifacts is not False, optional is True, pipeline, matrix=matrix)


def selection(entry: Entry) -> list[dict[str, Any]] | None:
    """`parallel:matrix` inside a need."""
    if isinstance(entry.value, int) and not isinstance(entry.value, bool):
        entry.refuse('config cannot use "parallel: <number>".')
        return None
    if not entry.mapping("matrix"):
        return None
    matrix = entry.child("matrix")
    if not isinstance(matrix.value, List) or not all(isinstance(item, Map) for item in matrix.value):
        matrix.refuse("config should be an array of hashes")
        return None
    found = []
    for item, place in matrix.value.entries():
        parts = {str(key): value if isinstance(value, list) else [value] for key, value in item.items()}
        if any(isinstance(value, dict | list) or value is None for values in parts.values() for value in values):
            matrix.refuse("config should be a hash of key value pairs", place)
            return None
        found.append({key: [str(value) for value in values] for key, values in parts.items()})
    return found
