"""The room's one error type: what keeps the server from starting or a command from being carried out."""

from __future__ import annotations


class ServerError(Exception):
    """Says what is wrong, where, and what to do. `exit_code` as in `shipline.engine.errors`."""

    def __init__(self, message: str, *, exit_code: int = 3) -> None:
        super().__init__(message)
        self.exit_code = exit_code
