"""Runners, which project or group they serve, and the jobs that wait for them or that they have."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from shipline.server.tables.columns import metadata, numbered

runners = numbered(
    "runners",
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("short", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("description", String),
    Column("maintenance_note", String),
    Column("paused", Boolean, nullable=False),
    Column("locked", Boolean, nullable=False),
    Column("run_untagged", Boolean, nullable=False),
    Column("access_level", String, nullable=False),
    Column("maximum_timeout", Integer),
    Column("tags", Text, nullable=False),
    Column("creator_id", Integer),
    Column("created_at", Float, nullable=False),
    Column("contacted_at", Float),
)
runner_projects = Table(
    "runner_projects",
    metadata,
    Column("runner_id", Integer, primary_key=True),
    Column("project_id", Integer, primary_key=True),
)
runner_groups = Table(
    "runner_groups",
    metadata,
    Column("runner_id", Integer, primary_key=True),
    Column("namespace_id", Integer, primary_key=True),
)
managers = numbered(
    "managers",
    Column("runner_id", Integer, nullable=False),
    Column("system_id", String, nullable=False),
    Column("version", String),
    Column("revision", String),
    Column("platform", String),
    Column("architecture", String),
    Column("executor", String),
    Column("features", Text, nullable=False),
    Column("address", String),
    Column("created_at", Float, nullable=False),
    Column("contacted_at", Float, nullable=False),
    UniqueConstraint("runner_id", "system_id"),
)
tag_sets = numbered("tag_sets", Column("tags", Text, nullable=False, unique=True))
queue = Table(
    "queue",
    metadata,
    Column("job_id", Integer, primary_key=True, autoincrement=False),
    Column("project_id", Integer, nullable=False),
    Column("tag_set", Integer, nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("shared", Boolean, nullable=False),
    Index("queue_of_instance", "shared", "tag_set", "job_id"),
    Index("queue_of_instance_protected", "shared", "tag_set", "protected", "job_id"),
    Index("queue_of_project", "project_id", "tag_set", "job_id"),
    Index("queue_of_project_protected", "project_id", "tag_set", "protected", "job_id"),
)
"""The pending jobs that nobody has yet: the head of each lane is one step into an index."""
ticks = Table("ticks", metadata, Column("name", String, primary_key=True), Column("count", Integer, nullable=False))
"""How often there was something new in the queue: who waits for jobs looks here first."""
assignments = Table(
    "assignments",
    metadata,
    Column("job_id", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("runner_id", Integer, nullable=False, index=True),
    Column("system_id", String, nullable=False),
    Column("graceful", Boolean, nullable=False),
    Column("acknowledge_by", Float),
    Column("updated_at", Float, nullable=False),
)
"""Which runner has which job. `acknowledge_by`: until then the runner has to say that it starts (two-phase
commit)."""
