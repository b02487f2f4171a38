"""How the server is set up: where it keeps things, where it listens, what it calls itself."""

from __future__ import annotations

from pathlib import Path

import msgspec

MIB = 1 << 20


class Settings(msgspec.Struct, frozen=True):
    """`home` holds database, key, repositories, logs and artifacts. `database`: an SQLAlchemy URL; empty means
    SQLite in `home`. `external_url`: what browsers, git and runners call the server, without a slash at its end.

    `registry`: the host (and port) of the container registry that sends its visitors here.

    `objects`: the bucket that finished logs and artifacts live in, once they have settled for `objects_after`;
    `copies_limit` is what is kept of them in `home`. Without it, all of them are.

    `artifact_limit`: of one file that a job leaves, where its project says nothing else.

    `keep_pipelines`, `keep_logs`: for how long after their end; None for ever. `allow_local_requests`: whether
    `include: remote` may name addresses of this machine and of private networks.

    Sizes are bytes, times seconds.
    """

    home: Path
    host: str = "127.0.0.1"
    port: int = 8929
    database: str = ""
    external_url: str = ""
    registry: str = ""
    objects: str = ""
    objects_after: float = 60.0
    copies_limit: int = 5120 * MIB
    trace_limit: int = 100 * MIB
    artifact_limit: int = 100 * MIB
    artifacts_expire_in: str = "30 days"
    keep_pipelines: float | None = None
    keep_logs: float | None = None
    long_poll: float = 50.0
    acknowledge_within: float = 120.0
    silent_for: float = 3600.0
    mirror_every: float = 300.0
    requests_a_minute: int = 2000
    pipelines_a_minute: int = 60
    allow_local_requests: bool = False

    @property
    def url(self) -> str:
        """The server's address as others know it."""
        return self.external_url.rstrip("/") or f"http://{self.host}:{self.port}"

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.home / 'server.db'}"
