"""inputs of a job: what a person may fill in when starting it by hand. Each needs a default."""

from __future__ import annotations

from typing import Any

import msgspec

from shipline.language.entry import Entry
from shipline.language.findings import Finding
from shipline.language.inputs import Valuation, definition
from shipline.language.values import Map, plain

MAX_INPUTS = 50


def job_inputs(entry: Entry) -> dict[str, Any] | None:
    """`inputs:` of a job as written."""
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash")
        return None
    if len(entry.value) > MAX_INPUTS:
        entry.refuse(f"config has too many entries (maximum {MAX_INPUTS})")
    for name in entry.value:
        child = entry.child(name)
        defined = definition(child, str(name))
        if defined is None:
            continue
        if not defined.has_default and not defined.rules:
            child.refuse("must have a default value")
            continue
        if defined.has_default:
            wrong: list[Finding] = []
            Valuation(defined, child.place, wrong).value(Map(child.place))
            entry.findings.extend(of_job(each, entry.path.removesuffix(":inputs")) for each in wrong)
    return plain(entry.value)  # type: ignore[no-any-return]


def of_job(wrong: Finding, job: str) -> Finding:
    """What is wrong with an input, said of the job that has it."""
    return msgspec.structs.replace(wrong, message=f"{job} inputs {wrong.message.replace('` input:', '`:', 1)}")
