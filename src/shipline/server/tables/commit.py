"""What is said of commits on their way into a branch: merge requests and the words of other services."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Text, UniqueConstraint

from shipline.server.tables.columns import numbered

merge_requests = numbered(
    "merge_requests",
    Column("project_id", Integer, nullable=False),
    Column("iid", Integer, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("source_branch", String, nullable=False),
    Column("target_branch", String, nullable=False),
    Column("author_id", Integer, nullable=False),
    Column("title", String, nullable=False),
    Column("sha", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("record", Text, nullable=False),
    UniqueConstraint("project_id", "iid"),
    Index(None, "project_id", "source_branch", "state"),
)
"""`record`: what no query asks for, as JSON (`merge_requests.Facts`)."""
notes = numbered(
    "notes",
    Column("merge_request_id", Integer, nullable=False, index=True),
    Column("author_id", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)
"""What people say about merge requests."""
commit_statuses = numbered(
    "commit_statuses",
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
