"""What belongs to the instance as a whole, and to no project."""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, LargeBinary, String, Table

from shipline.server.tables.columns import metadata, numbered

audit = numbered(
    "audit",
    Column("at", Float, nullable=False),
    Column("user_id", Integer),
    Column("address", String),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
)
kept = Table(
    "kept", metadata, Column("name", String, primary_key=True), Column("value", LargeBinary, nullable=False)
)
"""Secrets of the instance itself, encrypted: the registration token."""
writers = Table(
    "writers", metadata, Column("process", String, primary_key=True), Column("count", Integer, nullable=False)
)
"""How often each process has changed the database; SQLite knows by itself, PostgreSQL does not."""
