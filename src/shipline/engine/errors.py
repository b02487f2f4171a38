"""The engine's one error type, and the kinds of it that somebody tells apart."""

from __future__ import annotations


class EngineError(Exception):
    """Says what is wrong, where, and what to do. `exit_code` is 2 for what the user wrote or asked (the
    default) and 3 for what is missing or broken around us."""

    def __init__(self, message: str, *, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Unsupported(EngineError):
    """A configuration that is right, and that this engine does not carry out."""


class Refusal(EngineError):
    """Why a job cannot run: `reason` is GitLab's name for it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
