"""Merge requests, and projects that are made of others"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "merge_requests",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("iid", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("source_branch", sa.String(), nullable=False),
        sa.Column("target_branch", sa.String(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("sha", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="merge_requests_key"),
        sa.UniqueConstraint("project_id", "iid", name="merge_requests_one_project_id_iid"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "merge_requests_by_project_id_source_branch_state",
        "merge_requests",
        ["project_id", "source_branch", "state"],
    )
    op.add_column("projects", sa.Column("forked_from", sa.Integer(), nullable=True))
    op.create_index("projects_by_forked_from", "projects", ["forked_from"])
