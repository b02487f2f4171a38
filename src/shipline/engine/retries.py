"""Whether a failed job is tried again by itself: `retry: {max, when, exit_codes}`."""

from __future__ import annotations

from typing import Any

NEVER = frozenset(
    (
        *("ci_quota_exceeded", "no_matching_runner", "missing_dependency_failure", "forward_deployment_failure"),
        "environment_creation_failure",
    )
)
"""Failures that another try would meet again, whatever the job says."""
MEANT = {
    "stuck_or_timeout_failure": frozenset(
        (
            *("stuck_pending_with_matching_runners", "stuck_pending_no_matching_runners"),
            *("no_updates_running", "no_updates_canceling"),
        )
    ),
    "job_execution_timeout": frozenset(("server_timeout_running", "server_timeout_canceling")),
}
"""The failures that older reasons of `retry:when` stand for."""


def tried_again(retry: dict[str, Any], attempt: int, reason: str | None, exit_code: int | None) -> bool:
    """Whether the failure of try number `attempt` (from 1) leads to another. With exit codes and no `when`,
    only these exit codes do; with neither, every failure does."""
    if reason in NEVER or attempt > int(retry.get("max", 0)):
        return False
    exit_codes = _listed(retry.get("exit_codes"))
    reasons = _listed(retry.get("when")) or ([] if exit_codes else ["always"])
    failure = reason or "unknown_failure"
    named = any(failure == known or failure in MEANT.get(known, ()) for known in reasons)
    return "always" in reasons or named or exit_code in exit_codes


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
