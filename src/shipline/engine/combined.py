"""The combined status of several jobs: what a stage, a pipeline, or a job's needs amount to.

The order of the rules is GitLab's; the first that matches decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from shipline.engine.states import COMPLETED, Status

WARN = "warn"
"""A failed or cancelled job that was allowed to."""
IGNORED = "ignored"
"""An optional manual job that nobody started."""

FORGIVEN: frozenset[str] = frozenset({"failed", "canceled", "manual"})
"""The statuses that count as something else when the job is allowed to fail."""

_PASSED = frozenset({"success", "skipped", WARN, IGNORED})
_SETTLED = COMPLETED | {WARN}


def counted_as(status: Status, allow_failure: bool) -> str:
    """What a job's status counts as among others'."""
    if allow_failure:
        if status in ("failed", "canceled"):
            return WARN
        if status == "manual":
            return IGNORED
    return status


def combined(statuses: Iterable[str]) -> Status:
    """The status of a stage, a pipeline, or of all jobs before a stage; members as `counted_as` gives them."""
    members = frozenset(statuses)
    if not members:
        return "success"
    if members <= {"skipped", IGNORED}:
        return "skipped"
    if members <= _PASSED:
        return "success"
    if members <= {"created", WARN, IGNORED}:
        return "created"
    if members <= _PASSED | {"canceled"}:
        return "canceled"
    if members <= {"pending", "created", "skipped", WARN, IGNORED}:
        return "pending"
    return _first_present(members)


def combined_needs(statuses: Collection[str]) -> Status:
    """The status of a job's needs. One that will not run settles it at once; one not done makes it wait."""
    if not statuses:
        return "success"
    if "skipped" in statuses or IGNORED in statuses:
        return "skipped"
    if not _SETTLED.issuperset(statuses):
        return "pending"
    return combined(statuses)


def _first_present(members: frozenset[str]) -> Status:
    if members & {"running", "pending"}:
        return "running"
    if "waiting_for_resource" in members:
        return "waiting_for_resource"
    if "manual" in members:
        return "manual"
    if "scheduled" in members:
        return "scheduled"
    if "created" in members:
        return "running"
    if "canceling" in members:
        return "canceling"
    return "failed"
