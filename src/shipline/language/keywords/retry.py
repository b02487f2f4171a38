"""retry and allow_failure: what a failure means."""

from __future__ import annotations

from typing import Any

from shipline.language.entry import Entry, did_you_mean, is_boolean, is_integer, remedy
from shipline.language.values import Map

MAX_RETRIES = 2
REASONS = (
    "always",
    "unknown_failure",
    "script_failure",
    "api_failure",
    "stuck_or_timeout_failure",
    "runner_system_failure",
    "runner_unsupported",
    "runner_provisioning_timeout",
    "stale_schedule",
    "job_execution_timeout",
    "job_execution_server_timeout",
    "archived_failure",
    "unmet_prerequisites",
    "scheduler_failure",
    "data_integrity_failure",
    "server_timeout_running",
    "server_timeout_canceling",
    "no_updates_running",
    "no_updates_canceling",
    "stuck_pending_no_matching_runners",
    "stuck_pending_with_matching_runners",
    "runner_external_dependency_failure",
    "runner_configuration_error",
    "runner_interrupted",
    "missing_dependency_failure",
    "forward_deployment_failure",
    "failed_outdated_deployment_job",
    "user_blocked",
    "project_deleted",
    "ci_quota_exceeded",
    "pipeline_loop_detected",
    "no_matching_runner",
    "trace_size_exceeded",
    "builds_disabled",
    "environment_creation_failure",
    "deployment_rejected",
    "protected_environment_failure",
    "insufficient_bridge_permissions",
    "insufficient_upstream_permissions",
    "downstream_bridge_project_not_found",
    "upstream_bridge_project_not_found",
    "invalid_bridge_trigger",
    "bridge_pipeline_is_child_pipeline",
    "downstream_pipeline_creation_failed",
    "secrets_provider_not_found",
    "reached_max_descendant_pipelines_depth",
    "reached_max_pipeline_hierarchy_size",
    "ip_restriction_failure",
    "job_token_expired",
)


def retry(entry: Entry) -> dict[str, Any] | None:
    """`retry:` as a mapping with `max` and perhaps `when` and `exit_codes`."""
    if is_integer(entry.value):
        if entry.value < 0:
            entry.refuse("config must be greater than or equal to 0")
        elif entry.value > MAX_RETRIES:
            entry.refuse(f"config must be less than or equal to {MAX_RETRIES}")
        return {"max": entry.value}
    if not isinstance(entry.value, Map):
        entry.refuse("config has to be either an integer or a hash")
        return None
    entry.only("max", "when", "exit_codes")
    found: dict[str, Any] = {}
    limit = entry.value.get("max")
    if limit is not None:
        if not is_integer(limit):
            entry.refuse_key("max", "must be an integer")
        elif limit < 0:
            entry.refuse_key("max", "must be greater than or equal to 0")
        elif limit > MAX_RETRIES:
            entry.refuse_key("max", f"must be less than or equal to {MAX_RETRIES}")
        else:
            found["max"] = limit
    reasons(entry, found)
    codes = exit_codes(entry)
    if codes is not None:
        found["exit_codes"] = codes
    return found


def reasons(entry: Entry, found: dict[str, Any]) -> None:
    when = entry.value.get("when")
    if when is None:
        return
    words = [when] if isinstance(when, str) else when
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        entry.refuse_key("when", "should be an array of strings or a string")
        return
    unknown = [word for word in words if word not in REASONS]
    if unknown:
        message = (
            "is not included in the list" if isinstance(when, str) else f"contains unknown values: {unknown[0]}"
        )
        entry.refuse_key("when", message, did_you_mean(unknown[0], REASONS))
        return
    found["when"] = list(words)


def exit_codes(entry: Entry) -> list[int] | None:
    """`exit_codes:` as a list."""
    codes = entry.value.get("exit_codes")
    if codes is None:
        return None
    listed = codes if isinstance(codes, list) else [codes]
    if not all(is_integer(code) for code in listed):
        entry.refuse_key("exit_codes", "should be an array of integers or an integer")
        return None
    return list(listed)


def allow_failure(entry: Entry) -> bool | dict[str, Any] | None:
    """`allow_failure:`, a boolean or a mapping with `exit_codes`."""
    if isinstance(entry.value, bool):
        return entry.value
    if not isinstance(entry.value, Map):
        job, _, key = entry.path.rpartition(":")
        hint = remedy(key, entry.value, is_boolean) or "true, false, or allow_failure: {exit_codes: [1]}"
        whole = Entry(entry.value, entry.place, job, entry.findings)
        whole.refuse_key(key, "should be a hash or a boolean value", hint)
        return None
    entry.only("exit_codes")
    codes = exit_codes(entry)
    if codes is None and "exit_codes" not in entry.value:
        return {}
    return {"exit_codes": codes} if codes is not None else None
