"""What projects have besides pipelines; when environments stop; what deployments are listed by"""

import json

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
    for column in ("action", "status", "ref"):
        op.add_column("deployments", sa.Column(column, sa.String(), nullable=False, server_default=""))
    op.add_column("deployments", sa.Column("user_id", sa.Integer(), nullable=True))
    deployments = sa.table("deployments", *map(sa.column, ("id", "record", "action", "status", "ref")))
    connection = op.get_bind()
    for number, record in connection.execute(sa.select(deployments.c.id, deployments.c.record)).all():
        known = json.loads(bytes(record))
        values = {"action": known.get("action", "start"), "status": known["status"], "ref": known["ref"]}
        connection.execute(sa.update(deployments).where(deployments.c.id == number).values(**values))
