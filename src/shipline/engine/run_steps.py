"""`run:`: a job as a list of steps. Those that are scripts run here, one after the other, each in its own shell.

GitLab's runner fetches other steps (`step:`, `func:`) from git or a registry and has a program of its own carry
them out, as it does with expressions (`${{ ... }}`); these are refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shipline.language.pipeline import Job

OTHER_KINDS = ("step", "func", "inputs")


def steps_of(job: Job) -> list[dict[str, Any]]:
    """The job's steps, none where it has a script."""
    return list(job.extra.get("run") or [])


def asks(job: Job, kind: str) -> bool:
    """Whether a step is of a kind that is not run here."""
    return any(kind in step for step in steps_of(job))


def has_expressions(job: Job) -> bool:
    """Whether a step's script or variables hold `${{ ... }}`."""
    return any("${{" in text for step in steps_of(job) for text in _texts(step))


def _texts(step: dict[str, Any]) -> Iterator[str]:
    yield str(step.get("script", ""))
    yield from map(str, (step.get("env") or {}).values())


def commands(job: Job) -> list[str]:
    """The steps as commands of one script: the first that fails ends the job, and what a step sets is its own."""
    return [_command(step) for step in steps_of(job)]


def _command(step: dict[str, Any]) -> str:
    import shlex

    title = " ".join(str(step["name"]).split())
    exports = [f"export {key}={shlex.quote(value)}" for key, value in (step.get("env") or {}).items()]
    return "\n".join([f"# step {title}", "(", *exports, str(step["script"]), ")"])
