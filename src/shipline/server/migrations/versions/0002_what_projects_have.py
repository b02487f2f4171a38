"""What projects have besides pipelines; when environments stop"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "possessions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("possessions_key")),
        sa.UniqueConstraint("project_id", "kind", "name", name=op.f("possessions_one_project_id_kind_name")),
        sqlite_autoincrement=True,
    )
    op.add_column("environments", sa.Column("auto_stop_at", sa.Float(), nullable=True))
    op.add_column("environments", sa.Column("record", sa.LargeBinary(), nullable=True))
    op.create_index(op.f("environments_by_auto_stop_at"), "environments", ["auto_stop_at"], unique=False)
