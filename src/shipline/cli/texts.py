"""How durations, statuses and commits are written for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipline.cli.widths import plain

if TYPE_CHECKING:
    from shipline.engine.records import JobRecord, PipelineRecord

COLOURS = {
    "success": "green",
    "failed": "red",
    "canceled": "bright_black",
    "canceling": "bright_black",
    "skipped": "bright_black",
    "running": "cyan",
    "pending": "yellow",
    "manual": "magenta",
    "scheduled": "magenta",
}


def duration(seconds: float | None) -> str:
    """`0.04 s`, `1.4 s`, `12 s`, `3 min 20 s`, `1 h 5 min`; empty for None."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def whole_seconds(seconds: float) -> str:
    """A duration that still grows: `3 s`, `1 min 3 s`."""
    whole = max(0, int(seconds))
    return f"{whole} s" if whole < 60 else duration(float(whole))


def status(name: str, width: int = 0) -> str:
    """A status, coloured, padded to a width."""
    import click

    return click.style(name, fg=COLOURS.get(name)) + " " * (width - len(name))


def commit(record: PipelineRecord) -> str:
    """`main 1a2b3c4d "Fix the rounding"`, or what stands for uncommitted changes."""
    commit = record.commit
    if commit.dirty:
        return f"{commit.ref} with uncommitted changes"
    title = plain(commit.message.partition("\n")[0])
    return f'{commit.ref} {commit.sha[:8]} "{title}"' if title else f"{commit.ref} {commit.sha[:8]}"


def is_told(job: JobRecord) -> bool:
    """Whether a job's status is worth a line of its own. That of a trigger job is once it has its pipeline."""
    if job.bridge and job.status == "running" and job.downstream is None:
        return False
    return job.status in (
        "running",
        "failed",
        "success",
        "canceled",
        "canceling",
        "waiting_for_resource",
        "scheduled",
    )


def event(job: JobRecord, now: float) -> str:
    """What has become of a job, for a line of its own: `failed: the script failed (exit code 3) after 1.2 s`."""
    word = status(job.status)
    if job.bridge and job.downstream is not None and job.status in ("running", "success"):
        word += f": pipeline {job.downstream}"
    if job.status == "failed" and (why := outcome(job)):
        word += f": {why}"
    if job.status == "scheduled" and job.scheduled_at is not None:
        word += f": starts in {duration(max(0.0, job.scheduled_at - now))}"
    if job.attempt > 1 and job.status == "running":
        word += f" (try {job.attempt})"
    if job.duration is not None:
        word += f" after {duration(job.duration)}"
    return word


def outcome(job: JobRecord) -> str:
    """Why a job failed, in a few words."""
    if job.bridge and job.downstream is not None:
        return f"its pipeline {job.downstream} did" if job.status == "failed" else ""
    words = {
        None: "",
        "script_failure": "the script failed",
        "job_execution_timeout": "it took longer than its timeout",
        "runner_system_failure": "the runner could not run it",
        "image_pull_failure": "an image could not be pulled",
        "runner_configuration_error": "it could not be set up as it is written",
        "runner_external_dependency_failure": "something outside did not answer",
        "runner_interrupted": "it was interrupted",
        "environment_creation_failure": "its environment cannot be called so",
        "no_updates_running": "its runner was not heard of for long",
        "no_updates_canceling": "its runner was not heard of for long after it was canceled",
        "no_matching_runner": "no runner has its tags",
        "failed_outdated_deployment_job": "it is older than what is deployed",
        "downstream_pipeline_creation_failed": "its pipeline could not be created",
        "downstream_bridge_project_not_found": "the project that it triggers was not found",
        "upstream_bridge_project_not_found": "the project that it follows was not found",
        "insufficient_bridge_permissions": "its user may not trigger that pipeline",
        "invalid_bridge_trigger": "it triggers its own project",
        "reached_max_descendant_pipelines_depth": "child pipelines are nested too deep",
        "reached_max_pipeline_hierarchy_size": "too many pipelines trigger each other",
        "pipeline_loop_detected": "pipelines trigger each other in a circle",
        "missing_dependency_failure": "artifacts that it needs are not there",
    }
    text = words.get(job.failure_reason, (job.failure_reason or "").replace("_", " "))
    return f"{text} (exit code {job.exit_code})" if job.exit_code else text


def size(count: int) -> str:
    """Bytes for people: `312 B`, `4.1 KiB`, `12 MiB`."""
    if count < 1024:
        return f"{count} B"
    amount, units = count / 1024, ["KiB", "MiB", "GiB", "TiB"]
    while amount >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{amount:.1f} {units[0]}" if amount < 10 else f"{amount:.0f} {units[0]}"
