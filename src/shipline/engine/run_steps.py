"""`run:`: a job as a list of steps. The runner gets them as they are written and works out what is in them; what it
could not carry out is known here, before anything runs."""

from __future__ import annotations

from typing import Any

from shipline.language.pipeline import Job

KINDS = ("step", "func")


def steps_of(job: Job) -> list[dict[str, Any]]:
    """The job's steps, none where it has a script."""
    return list(job.extra.get("run") or [])


def asks_image(job: Job, kind: str) -> bool:
    """Whether a step of this kind is a function in an image, as far as its text says so before it runs."""
    return any(kind in step and _is_image(step[kind]) for step in steps_of(job))


def _is_image(reference: Any) -> bool:
    """A folder begins with a dot or slash; a git repository has a revision after an @, or is written out."""
    if not isinstance(reference, str):
        return "git" not in reference
    if "${{" in reference or reference.startswith((".", "/")):
        return False
    address, at, revision = reference.rpartition("@")
    return not at or revision.startswith("sha256:") or "/" not in address


def as_text(job: Job) -> str:
    """The steps as a runner gets them: a JSON text."""
    import json

    return json.dumps(steps_of(job))
