"""`shipline resource-groups`: in which order the jobs of a resource group run."""

from __future__ import annotations

import click

MODES = ("unordered", "oldest_first", "newest_first", "newest_ready_first")


@click.group("resource-groups", invoke_without_command=True)
@click.pass_context
def resource_groups(ctx: click.Context) -> None:
    """List the resource groups of the repository you are in, their process modes, and the jobs that want them."""
    if ctx.invoked_subcommand is not None:
        return
    from shipline.cli.state import opened_pipelines, opened_repository
    from shipline.engine.possessions import ResourceGroup
    from shipline.engine.resources import upcoming

    with opened_repository() as repository, opened_pipelines() as pipelines:
        project = pipelines.store.project(str(repository.path))
        found = pipelines.store.possessions(project.id, ResourceGroup)
        width = max((len(group.key) for group in found), default=0)
        for group in found:
            click.echo(f"{group.key.ljust(width)}  {group.process_mode}")
            for job in pipelines.store.resource_holders(project.id, group.key):
                click.echo(f"  has it: {job.name} (job {job.id}, pipeline {job.pipeline_id}, {job.status})")
            for job in upcoming(pipelines.store, project.id, group.key):
                click.echo(f"  wants it: {job.name} (job {job.id}, pipeline {job.pipeline_id}, {job.status})")
    if not found:
        click.echo("There are no resource groups: a job with `resource_group:` makes one.", err=True)


@resource_groups.command("set")
@click.argument("key")
@click.argument("mode", type=click.Choice(MODES))
def set_mode(key: str, mode: str) -> None:
    """Say in which order the jobs of the group KEY run: as GitLab's `process_mode` does.

    \b
    unordered           whichever is ready
    oldest_first        pipelines in their order, each waits for those before it
    newest_first        the newest pipeline first, also while its job has not come so far
    newest_ready_first  the newest pipeline of those whose job is ready
    """
    from typing import Any

    from shipline.cli.state import opened_pipelines, opened_repository
    from shipline.engine import resources

    wanted: Any = mode
    with opened_repository() as repository, opened_pipelines() as pipelines:
        project = pipelines.store.project(str(repository.path))
        resources.set_mode(pipelines.store, project.id, key, wanted, pipelines.clock())
