"""Notes on merge requests, uploaded files, and the users that tokens of projects and groups act as"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("merge_request_id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="notes_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("notes_by_merge_request_id", "notes", ["merge_request_id"])
    op.create_table(
        "uploads",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="uploads_key"),
        sa.UniqueConstraint("secret", name="uploads_one_secret"),
        sqlite_autoincrement=True,
    )
    op.create_index("uploads_by_project_id", "uploads", ["project_id"])
    for name in ("bot_of_project", "bot_of_group"):
        op.add_column("users", sa.Column(name, sa.Integer(), nullable=True))
        op.create_index(f"users_by_{name}", "users", [name])
