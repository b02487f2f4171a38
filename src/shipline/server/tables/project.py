"""Projects, who may do what in them, and what their owners have set up."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from shipline.server.tables.columns import metadata, numbered

projects = numbered(
    "projects",
    Column("path", String, nullable=False, unique=True),
    Column("full_path", String, unique=True),
    Column("namespace_id", Integer),
    Column("name", String),
    Column("description", String),
    Column("visibility", String),
    Column("default_branch", String),
    Column("creator_id", Integer),
    Column("created_at", Float),
    Column("last_activity_at", Float),
    Column("build_timeout", Integer),
    Column("git_depth", Integer),
    Column("config_path", String),
    Column("shared_runners", Boolean),
    Column("archived", Boolean),
    Column("settings", Text),
    Column("forked_from", Integer, index=True),
)
"""`settings`: JSON of the settings that no query asks for (`project_settings.Settings`)."""
members = Table(
    "members",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("user_id", Integer, primary_key=True),
    Column("access_level", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
)
protected_refs = numbered(
    "protected_refs",
    Column("project_id", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("push_level", Integer, nullable=False),
    Column("merge_level", Integer, nullable=False),
    Column("allow_force_push", Boolean, nullable=False),
    UniqueConstraint("project_id", "kind", "name"),
)
mirrors = Table(
    "mirrors",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("user_id", Integer, nullable=False),
    Column("url", LargeBinary, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("status", String, nullable=False),
    Column("error", Text),
    Column("started_at", Float),
    Column("updated_at", Float),
    Column("succeeded_at", Float),
)
schedules = numbered(
    "schedules",
    Column("project_id", Integer, nullable=False, index=True),
    Column("description", String, nullable=False),
    Column("ref", String, nullable=False),
    Column("cron", String, nullable=False),
    Column("cron_timezone", String, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("owner_id", Integer, nullable=False),
    Column("next_run_at", Float, index=True),
    Column("last_pipeline_id", Integer),
    Column("variables", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)
triggers = numbered(
    "triggers",
    Column("project_id", Integer, nullable=False, index=True),
    Column("description", String, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("token", LargeBinary, nullable=False),
    Column("owner_id", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("last_used", Float),
)
deploy_tokens = numbered(
    "deploy_tokens",
    Column("project_id", Integer, nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("username", String, nullable=False),
    Column("scopes", String, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", String),
    Column("revoked", Boolean, nullable=False),
)
uploads = numbered(
    "uploads",
    Column("project_id", Integer, nullable=False, index=True),
    Column("secret", String, nullable=False, unique=True),
    Column("filename", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("user_id", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
)
"""Files of people; their bytes are in the home's `uploads/<project>/<secret>`."""
job_token_targets = Table(
    "job_token_targets",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("target_project_id", Integer, primary_key=True),
)
"""The projects (`target_project_id`) whose jobs' tokens a project lets in besides its own."""
