"""What goes wrong with a cluster as a whole, in words for the person who started it.

A refused API request is an `ApiError`; this is for all the rest: no engine, a taken port, a daemon that is gone.
"""


class ClusterError(Exception):
    """Says what failed, where, and what to do about it."""


class ContainerEngineError(ClusterError):
    """The container engine refused a request, or did not answer at all (`status` 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
