"""What people say about merge requests."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa

from shipline.server import tables as t
from shipline.server.database import Database


class Notes:
    """The notes on all merge requests."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, merge_request_id: int, author_id: int, body: str, at: float | None = None) -> Any:
        """A new note; `at`: Unix seconds, where it was said earlier."""
        now = at if at is not None else time.time()
        number = self.database.insert(
            t.notes,
            merge_request_id=merge_request_id,
            author_id=author_id,
            body=body,
            created_at=now,
            updated_at=now,
        )
        return self.find(merge_request_id, number)

    def find(self, merge_request_id: int, number: int) -> Any | None:
        query = self.of(merge_request_id).where(t.notes.c.id == number)
        return self.database.one(query)

    def of(self, merge_request_id: int) -> sa.Select[Any]:
        return sa.select(t.notes).where(t.notes.c.merge_request_id == merge_request_id)

    def count(self, merge_request_id: int) -> int:
        counted = sa.select(sa.func.count()).select_from(self.of(merge_request_id).subquery())
        return int(self.database.execute(counted).scalar_one())

    def change(self, number: int, body: str) -> None:
        changed = sa.update(t.notes).where(t.notes.c.id == number)
        self.database.execute(changed.values(body=body, updated_at=time.time()))

    def delete(self, number: int) -> None:
        self.database.execute(sa.delete(t.notes).where(t.notes.c.id == number))
