"""The database's tables. A change here needs a step in `migrations/versions`; a test compares the two.

The engine's records are kept as JSON beside the few columns that queries look at. Times are Unix seconds. A token
is kept as its digest only; a value that must be shown or used again is encrypted (`vault`).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_by_%(column_0_N_name)s",
        "uq": "%(table_name)s_one_%(column_0_N_name)s",
        "pk": "%(table_name)s_key",
    }
)


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True, autoincrement=True)


def _table(name: str, *columns: SchemaItem) -> Table:
    """A table whose ids are never used twice."""
    return Table(name, metadata, *columns, sqlite_autoincrement=True)


users = _table(
    "users",
    _id(),
    Column("username", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("email", String, nullable=False, unique=True),
    Column("password", String),
    Column("admin", Boolean, nullable=False),
    Column("state", String, nullable=False),
    Column("created_at", Float, nullable=False),
)
tokens = _table(
    "tokens",
    _id(),
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
namespaces = _table(
    "namespaces",
    _id(),
    Column("path", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("owner_id", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("parent_id", Integer, index=True),
    Column("description", String),
    Column("visibility", String),
)
group_members = Table(
    "group_members",
    metadata,
    Column("namespace_id", Integer, primary_key=True),
    Column("user_id", Integer, primary_key=True),
    Column("access_level", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Index(None, "user_id"),
)
projects = _table(
    "projects",
    _id(),
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
sessions = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("user_id", Integer, nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
)
"""Who is signed in with a browser."""
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
protected_refs = _table(
    "protected_refs",
    _id(),
    Column("project_id", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("push_level", Integer, nullable=False),
    Column("merge_level", Integer, nullable=False),
    Column("allow_force_push", Boolean, nullable=False),
    sa.UniqueConstraint("project_id", "kind", "name"),
)

pipelines = _table(
    "pipelines",
    _id(),
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
    sa.UniqueConstraint("project_id", "iid"),
    Index(None, "project_id", "ref"),
    Index(None, "project_id", "ref", "status"),
    Index(None, "project_id", "updated_at"),
    Index(None, "sha"),
)
jobs = _table(
    "jobs",
    _id(),
    Column("pipeline_id", Integer, nullable=False, index=True),
    Column("project_id", Integer, nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("latest", Boolean, nullable=False),
    Column("status", String, nullable=False, index=True),
    Column("resource_group", String),
    Column("erased_at", Float),
    Column("record", LargeBinary, nullable=False),
    Column("bridge", Boolean, nullable=False, server_default=sa.false()),
)
deployments = _table(
    "deployments",
    _id(),
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
environments = _table(
    "environments",
    _id(),
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
    sa.UniqueConstraint("project_id", "name"),
)
possessions = _table(
    "possessions",
    _id(),
    Column("project_id", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("record", LargeBinary, nullable=False),
    sa.UniqueConstraint("project_id", "kind", "name"),
)
"""Resource groups, releases, published pages and settings: see `shipline.engine.possessions`."""
variables = _table(
    "variables",
    _id(),
    Column("project_id", Integer, nullable=False),
    Column("key", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Column("description", String),
    sa.UniqueConstraint("project_id", "key", "scope"),
)
"""`project_id` 0 stands for the whole instance, a negative one for the group of that number. `record` is the
engine's, without the value."""

tag_sets = _table("tag_sets", _id(), Column("tags", Text, nullable=False, unique=True))
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
runners = _table(
    "runners",
    _id(),
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
managers = _table(
    "managers",
    _id(),
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
    sa.UniqueConstraint("runner_id", "system_id"),
)
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
artifacts = _table(
    "artifacts",
    _id(),
    Column("job_id", Integer, nullable=False),
    Column("file_type", String, nullable=False),
    Column("file_format", String, nullable=False),
    Column("filename", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expire_at", Float, index=True),
    sa.UniqueConstraint("job_id", "file_type"),
)
schedules = _table(
    "schedules",
    _id(),
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
triggers = _table(
    "triggers",
    _id(),
    Column("project_id", Integer, nullable=False, index=True),
    Column("description", String, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("token", LargeBinary, nullable=False),
    Column("owner_id", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("last_used", Float),
)
job_token_targets = Table(
    "job_token_targets",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("target_project_id", Integer, primary_key=True),
)
"""The projects (`target_project_id`) whose jobs' tokens a project lets in besides its own."""
deploy_tokens = _table(
    "deploy_tokens",
    _id(),
    Column("project_id", Integer, nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("username", String, nullable=False),
    Column("scopes", String, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", String),
    Column("revoked", Boolean, nullable=False),
)
commit_statuses = _table(
    "commit_statuses",
    _id(),
    Column("project_id", Integer, nullable=False),
    Column("sha", String, nullable=False),
    Column("ref", String, nullable=False),
    Column("name", String, nullable=False),
    Column("status", String, nullable=False),
    Column("target_url", String),
    Column("description", String),
    Column("coverage", Float),
    Column("pipeline_id", Integer),
    Column("author_id", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Index(None, "project_id", "sha"),
)
"""What other services say of commits."""
merge_requests = _table(
    "merge_requests",
    _id(),
    Column("project_id", Integer, nullable=False),
    Column("iid", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("source_branch", String, nullable=False),
    Column("target_branch", String, nullable=False),
    Column("author_id", Integer, nullable=False),
    Column("title", String, nullable=False),
    Column("sha", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("record", Text, nullable=False),
    sa.UniqueConstraint("project_id", "iid"),
    Index(None, "project_id", "source_branch", "state"),
)
"""`record`: what no query asks for, as JSON (`merge_requests.Facts`)."""
audit = _table(
    "audit",
    _id(),
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
