"""Mirrors of repositories that live elsewhere"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mirrors",
        sa.Column("project_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.LargeBinary(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("started_at", sa.Float()),
        sa.Column("updated_at", sa.Float()),
        sa.Column("succeeded_at", sa.Float()),
        sa.PrimaryKeyConstraint("project_id", name="mirrors_key"),
    )
