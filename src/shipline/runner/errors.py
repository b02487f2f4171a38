"""The room's error, and how a job that could not go on says why."""

from __future__ import annotations

from shipline.protocol.coordinator import FailureReason


class RunnerError(Exception):
    """Something about the runner itself is wrong: its text says what, where and what to do about it."""


class JobFailed(Exception):
    """The job ends as failed. The text is its log's last line; `hint` lines before it say what to do."""

    def __init__(
        self,
        message: str,
        reason: FailureReason = "runner_system_failure",
        *,
        exit_code: int | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.reason: FailureReason = reason
        self.exit_code = exit_code
        self.hint = hint
