"""The REST API v4: GitLab's paths, fields, pages and errors. One file a resource."""

from shipline.server.api import (
    admin,
    ci_lint,
    commits,
    deployments,
    environments,
    groups,
    job_files,
    jobs,
    members,
    mirrors,
    pipelines,
    projects,
    protected_refs,
    releases,
    reports,
    repository,
    resource_groups,
    runners,
    schedules,
    tokens,
    triggers,
    users,
    variables,
)

ENDPOINTS = [
    endpoint
    for resource in (
        projects,
        groups,
        pipelines,
        reports,
        job_files,
        jobs,
        variables,
        deployments,
        environments,
        releases,
        resource_groups,
        runners,
        schedules,
        triggers,
        mirrors,
        ci_lint,
        repository,
        commits,
        protected_refs,
        members,
        users,
        tokens,
        admin,
    )
    for endpoint in resource.ENDPOINTS
]
