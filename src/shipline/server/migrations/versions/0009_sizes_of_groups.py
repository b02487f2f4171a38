"""How large the files of a group's jobs may be; open merge requests are found without looking at all"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("namespaces", sa.Column("max_artifacts_size", sa.Integer(), nullable=True))
    op.create_index("merge_requests_by_state", "merge_requests", ["state"])
