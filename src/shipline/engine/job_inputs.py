"""A job's `inputs`: what a person may fill in when starting it by hand, or once more; checked as GitLab does."""

from __future__ import annotations

from typing import Any

from shipline.engine.errors import EngineError
from shipline.language.entry import Entry
from shipline.language.findings import Finding
from shipline.language.inputs import definitions, values
from shipline.language.pipeline import Job
from shipline.language.values import NOWHERE, located, plain
from shipline.protocol.payload import InputValue, JobInput

TYPES = {"boolean": "boolean", "number": "number", "array": "array"}


def checked(job: Job, given: dict[str, Any]) -> dict[str, Any]:
    """The value of each of the job's inputs: as given, else its default. Raises EngineError for what is not asked
    for, and for what does not fit."""
    written = job.extra.get("inputs") or {}
    if not written and not given:
        return {}
    wrong: list[Finding] = []
    defined = definitions(Entry(located(written), NOWHERE, "inputs", wrong))
    found = values(defined, located(given), {}, NOWHERE, wrong)
    if wrong:
        raise EngineError("\n".join(f"Job '{job.name}': {each.message}." for each in wrong))
    return {name: plain(value) for name, value in found.items()}


def for_payload(job: Job, given: dict[str, Any]) -> list[JobInput]:
    """The inputs as a runner gets them."""
    written = job.extra.get("inputs") or {}
    return [
        JobInput(name, InputValue(TYPES.get(str((written[name] or {}).get("type")), "string"), value))
        for name, value in checked(job, given).items()
    ]
