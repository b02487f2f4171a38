"""Who there is and what lets them in: users and their tokens, sessions, groups and their members."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, String, Table

from shipline.server.tables.columns import metadata, numbered

users = numbered(
    "users",
    Column("username", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("email", String, nullable=False, unique=True),
    Column("password", String),
    Column("admin", Boolean, nullable=False),
    Column("state", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("bot_of_project", Integer, index=True),
    Column("bot_of_group", Integer, index=True),
)
"""`bot_of_project`, `bot_of_group`: nobody, but who an access token of a project or a group acts as."""
tokens = numbered(
    "tokens",
    Column("user_id", Integer, nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("description", String),
    Column("scopes", String, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", String),
    Column("revoked", Boolean, nullable=False),
    Column("last_used_at", Float),
)
sessions = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("user_id", Integer, nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
)
"""Who is signed in with a browser."""
namespaces = numbered(
    "namespaces",
    Column("path", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("owner_id", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("parent_id", Integer, index=True),
    Column("description", String),
    Column("visibility", String),
    Column("max_artifacts_size", Integer),
)
"""`max_artifacts_size`: of one file that a job leaves in a project of the group, in MiB; None: as above it."""
group_members = Table(
    "group_members",
    metadata,
    Column("namespace_id", Integer, primary_key=True),
    Column("user_id", Integer, primary_key=True),
    Column("access_level", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Index(None, "user_id"),
)
