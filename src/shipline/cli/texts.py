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


def event(job: JobRecord, now: float) -> str:
    """What has become of a job, for a line of its own: `failed: the script failed (exit code 3) after 1.2 s`."""
    word = status(job.status)
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
    words = {
        None: "",
        "script_failure": "the script failed",
        "job_execution_timeout": "it took longer than its timeout",
        "runner_system_failure": "the runner could not run it",
        "image_pull_failure": "an image could not be pulled",
        "runner_configuration_error": "it could not be set up as it is written",
        "runner_external_dependency_failure": "something outside did not answer",
        "runner_interrupted": "it was interrupted",
        "no_matching_runner": "no runner has its tags",
        "failed_outdated_deployment_job": "it is older than what is deployed",
    }
    text = words.get(job.failure_reason, (job.failure_reason or "").replace("_", " "))
    return f"{text} (exit code {job.exit_code})" if job.exit_code else text
