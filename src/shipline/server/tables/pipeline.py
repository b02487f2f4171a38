"""What the engine's store keeps (`shipline.engine.store`), and what jobs leave.

The engine's records are kept as JSON beside the few columns that queries look at.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, String, UniqueConstraint, false

from shipline.server.tables.columns import numbered

pipelines = numbered(
    "pipelines",
    Column("project_id", Integer, nullable=False),
    Column("iid", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("source", String, nullable=False),
    Column("ref", String, nullable=False),
    Column("sha", String, nullable=False),
    Column("user_id", Integer),
    Column("schedule_id", Integer, index=True),
    Column("updated_at", Float, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("compiled", LargeBinary, nullable=False),
    UniqueConstraint("project_id", "iid"),
    Index(None, "project_id", "ref"),
    Index(None, "project_id", "ref", "status"),
    Index(None, "project_id", "updated_at"),
    Index(None, "sha"),
)
jobs = numbered(
    "jobs",
    Column("pipeline_id", Integer, nullable=False, index=True),
    Column("project_id", Integer, nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("latest", Boolean, nullable=False),
    Column("status", String, nullable=False, index=True),
    Column("resource_group", String),
    Column("erased_at", Float),
    Column("record", LargeBinary, nullable=False),
    Column("bridge", Boolean, nullable=False, server_default=false()),
)
deployments = numbered(
    "deployments",
    Column("project_id", Integer, nullable=False, index=True),
    Column("job_id", Integer, nullable=False, unique=True),
    Column("environment", String, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("action", String, nullable=False, server_default=""),
    Column("status", String, nullable=False, server_default=""),
    Column("ref", String, nullable=False, server_default=""),
    Column("user_id", Integer),
)
"""`job_id` is negative for what another program has deployed, and `user_id` is then who said so."""
environments = numbered(
    "environments",
    Column("project_id", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("external_url", String),
    Column("description", String),
    Column("tier", String, nullable=False),
    Column("state", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("auto_stop_at", Float, index=True),
    Column("record", LargeBinary),
    UniqueConstraint("project_id", "name"),
)
possessions = numbered(
    "possessions",
    Column("project_id", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("record", LargeBinary, nullable=False),
    UniqueConstraint("project_id", "kind", "name"),
)
"""Resource groups, releases, published pages and settings: see `shipline.engine.possessions`."""
variables = numbered(
    "variables",
    Column("project_id", Integer, nullable=False),
    Column("key", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Column("description", String),
    UniqueConstraint("project_id", "key", "scope"),
)
"""`project_id` 0 stands for the whole instance, a negative one for the group of that number. `record` is the
engine's, without the value."""
artifacts = numbered(
    "artifacts",
    Column("job_id", Integer, nullable=False),
    Column("file_type", String, nullable=False),
    Column("file_format", String, nullable=False),
    Column("filename", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expire_at", Float, index=True),
    UniqueConstraint("job_id", "file_type"),
)
