"""What the API server says when it says no."""

from __future__ import annotations

import json
from typing import Any


class ApiError(Exception):
    """A Status of the API: `code` is HTTP's, `reason` the API's one word (NotFound, Conflict, ...)."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason

    @classmethod
    def from_body(cls, code: int, body: bytes) -> ApiError:
        """Reads the answer's body, whether or not it is a Status."""
        try:
            status: Any = json.loads(body)
        except ValueError:
            status = None
        if not isinstance(status, dict):
            return cls(code, "", body.decode(errors="replace").strip()[:500] or f"HTTP status {code}")
        return cls(code, str(status.get("reason", "")), str(status.get("message", f"HTTP status {code}")))


class Unreachable(Exception):
    """No answer: the connection could not be made, broke, or took too long."""
