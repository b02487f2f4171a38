"""The journal: every object's last state in one SQLite file, so that a killed process loses nothing.

Each change is one transaction that holds the object and the resourceVersion it made, so both survive together.
Write-ahead logging with normal synchronisation: a killed process loses nothing, a machine that loses power may
lose the last moments but never the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from shipline.cluster.api.errors import ApiError
from shipline.cluster.errors import ClusterError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (resource, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY CHECK (id = 0), resource_version INTEGER NOT NULL);
INSERT OR IGNORE INTO counter VALUES (0, 0);
"""


class Journal:
    """Objects by (resource, namespace or "", name), each as the JSON bytes that were stored."""

    def __init__(self, path: Path | None) -> None:
        """`path` None keeps everything in memory: for tests. ClusterError when it cannot be opened."""
        try:
            if path is not None:
                path.touch(mode=0o600)  # It holds Secrets.
            self._database = sqlite3.connect(path or ":memory:", isolation_level=None)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            remedy = "if it is beyond repair, delete the cluster"
            raise ClusterError(f"the cluster's state in {path} cannot be opened: {error}; {remedy}") from error

    def resource_version(self) -> int:
        """The last one given out."""
        row = self._database.execute("SELECT resource_version FROM counter").fetchone()
        return int(row[0])

    def objects(self) -> Iterator[tuple[str, str, str, bytes]]:
        """Everything stored, as (resource, namespace, name, JSON)."""
        yield from self._database.execute("SELECT resource, namespace, name, value FROM objects")

    def write(self, resource: str, namespace: str, name: str, value: bytes | None, version: int) -> None:
        """Store an object, or forget it when `value` is None; `version` is the resourceVersion it made.
        ApiError 500 when the disk takes no more; nothing has changed then."""
        try:
            self._write(resource, namespace, name, value, version)
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            message = f"Internal error occurred: the cluster's journal cannot be written: {error}"
            raise ApiError(500, "InternalError", message, {}) from error

    def _write(self, resource: str, namespace: str, name: str, value: bytes | None, version: int) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        if value is None:
            self._database.execute(
                "DELETE FROM objects WHERE resource=? AND namespace=? AND name=?", (resource, namespace, name)
            )
        else:
            self._database.execute(
                "INSERT OR REPLACE INTO objects VALUES (?,?,?,?)", (resource, namespace, name, value)
            )
        self._database.execute("UPDATE counter SET resource_version=?", (version,))
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Close the file; the journal is of no use afterwards."""
        self._database.close()
