"""A compiled pipeline as plain data, by GitLab's own keys: what `preview --format json` shows."""

from __future__ import annotations

from typing import Any

import msgspec

from shipline.language.needs_graph import as_data as need_data
from shipline.language.pipeline import Job, Pipeline, Variable

FILE_LEVELS = ("global", "workflow", "job", "matrix", "rules")
KEYWORDS = (
    "before_script",
    "script",
    "after_script",
    "tags",
    "artifacts",
    "cache",
    "retry",
    "timeout",
    "coverage",
    "release",
    "hooks",
    "id_tokens",
    "secrets",
    "identity",
    "pages",
    "publish",
    "run",
    "resource_group",
    "trigger",
    "dast_configuration",
    "inputs",
)


def pipeline_data(pipeline: Pipeline) -> dict[str, Any]:
    """`stages`, `jobs` by name, and the pipeline's own name, variables and auto_cancel."""
    found: dict[str, Any] = {
        "name": pipeline.name,
        "stages": pipeline.stages,
        "variables": variables_data(pipeline.variables),
        "workflow": {"auto_cancel": pipeline.auto_cancel} if pipeline.auto_cancel else {},
        "jobs": {job.name: job_data(job) for job in pipeline.jobs},
    }
    return {key: value for key, value in found.items() if value or key in ("stages", "jobs")}


def job_data(job: Job) -> dict[str, Any]:
    """One job's effective values; a keyword that is not set is not there."""
    found: dict[str, Any] = {
        "stage": job.stage,
        "when": job.when,
        "allow_failure": {"exit_codes": job.allow_failure_exit_codes}
        if job.allow_failure_exit_codes
        else job.allow_failure,
        "variables": variables_data([item for item in job.variables if item.level in FILE_LEVELS]),
    }
    if job.start_in is not None:
        found["start_in"] = job.values.get("start_in")
    if job.manual_confirmation is not None:
        found["manual_confirmation"] = job.manual_confirmation
    if job.needs is not None:
        found["needs"] = [need_data(need) for need in job.needs]
    if job.dependencies is not None:
        found["dependencies"] = job.dependencies
    if job.values.get("interruptible") is not None:
        found["interruptible"] = job.interruptible
    if job.image is not None:
        found["image"] = compact(job.image)
    if "services" in job.values:
        found["services"] = [compact(service) for service in job.services]
    if job.environment:
        found["environment"] = job.environment
    found |= {key: job.values[key] for key in KEYWORDS if job.values.get(key) is not None}
    if job.parallel_total is not None:
        found["parallel"] = {"index": job.parallel_index, "total": job.parallel_total}
    return found


def compact(item: msgspec.Struct) -> dict[str, Any]:
    """An image or a service without what is not set."""
    return {key: value for key, value in msgspec.structs.asdict(item).items() if value not in (None, {})}


def variables_data(variables: list[Variable]) -> dict[str, Any]:
    """Variables by name, text or, where `expand: false`, a mapping."""
    return {item.key: {"value": item.value, "raw": True} if item.raw else item.value for item in variables}
