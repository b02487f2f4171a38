"""Groups with members, runners and variables; deploy tokens, commit statuses, the reach of jobs' tokens"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("namespaces") as namespaces:
        namespaces.add_column(sa.Column("parent_id", sa.Integer()))
        namespaces.add_column(sa.Column("description", sa.String()))
        namespaces.add_column(sa.Column("visibility", sa.String()))
    op.create_index("namespaces_by_parent_id", "namespaces", ["parent_id"])
    with op.batch_alter_table("projects") as projects:
        projects.add_column(sa.Column("settings", sa.Text()))
    op.create_index("pipelines_by_project_id_ref_status", "pipelines", ["project_id", "ref", "status"])
    op.create_index("pipelines_by_project_id_updated_at", "pipelines", ["project_id", "updated_at"])
    op.create_table(
        "group_members",
        sa.Column("namespace_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("access_level", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("namespace_id", "user_id", name="group_members_key"),
    )
    op.create_index("group_members_by_user_id", "group_members", ["user_id"])
    op.execute(
        "insert into group_members (namespace_id, user_id, access_level, created_at) "
        "select id, owner_id, 50, created_at from namespaces where kind = 'group'"
    )
    op.create_table(
        "runner_groups",
        sa.Column("runner_id", sa.Integer(), nullable=False),
        sa.Column("namespace_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("runner_id", "namespace_id", name="runner_groups_key"),
    )
    op.create_table(
        "job_token_targets",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("target_project_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "target_project_id", name="job_token_targets_key"),
    )
    op.create_table(
        "deploy_tokens",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.String()),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="deploy_tokens_key"),
        sa.UniqueConstraint("digest", name="deploy_tokens_one_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("deploy_tokens_by_project_id", "deploy_tokens", ["project_id"])
    op.create_table(
        "commit_statuses",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("sha", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("target_url", sa.String()),
        sa.Column("description", sa.String()),
        sa.Column("coverage", sa.Float()),
        sa.Column("pipeline_id", sa.Integer()),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float()),
        sa.Column("finished_at", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="commit_statuses_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("commit_statuses_by_project_id_sha", "commit_statuses", ["project_id", "sha"])
