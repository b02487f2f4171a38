"""The database's tables, a file for each part of the server. A change here needs a step in `migrations/versions`; a
test compares the two.

Times are Unix seconds. A token is kept as its digest only; a value that must be shown or used again is encrypted
(`vault`).
"""

from shipline.server.tables.columns import metadata
from shipline.server.tables.commit import commit_statuses, merge_requests, notes
from shipline.server.tables.instance import audit, kept, writers
from shipline.server.tables.people import group_members, namespaces, sessions, tokens, users
from shipline.server.tables.pipeline import (
    artifacts,
    deployments,
    environments,
    jobs,
    pipelines,
    possessions,
    variables,
)
from shipline.server.tables.project import (
    deploy_tokens,
    job_token_targets,
    members,
    mirrors,
    projects,
    protected_refs,
    schedules,
    triggers,
    uploads,
)
from shipline.server.tables.runner import (
    assignments,
    managers,
    queue,
    runner_groups,
    runner_projects,
    runners,
    tag_sets,
    ticks,
)

__all__ = [
    "artifacts",
    "assignments",
    "audit",
    "commit_statuses",
    "deploy_tokens",
    "deployments",
    "environments",
    "group_members",
    "job_token_targets",
    "jobs",
    "kept",
    "managers",
    "members",
    "merge_requests",
    "metadata",
    "mirrors",
    "namespaces",
    "notes",
    "pipelines",
    "possessions",
    "projects",
    "protected_refs",
    "queue",
    "runner_groups",
    "runner_projects",
    "runners",
    "schedules",
    "sessions",
    "tag_sets",
    "ticks",
    "tokens",
    "triggers",
    "uploads",
    "users",
    "variables",
    "writers",
]
