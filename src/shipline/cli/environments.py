"""`shipline environments`: what is deployed where."""

from __future__ import annotations

import click


@click.command()
def environments() -> None:
    """List the environments of the repository you are in: what was deployed there last, when, and by which job."""
    from datetime import datetime

    from shipline.cli.state import opened_pipelines, opened_repository
    from shipline.engine.deployments import current

    with opened_repository() as repository, opened_pipelines() as pipelines:
        project = pipelines.store.project(str(repository.path))
        found = current(pipelines.store.deployments(project.id))
    width = max((len(deployment.environment) for deployment in found), default=0)
    for deployment in found:
        when = datetime.fromtimestamp(deployment.created_at).strftime("%Y-%m-%d %H:%M")
        what = "stopped" if deployment.action == "stop" else f"{deployment.ref} {deployment.sha[:8]}"
        line = f"{deployment.environment.ljust(width)}  {when}  {what}  (job {deployment.job_id})"
        click.echo(line + (f"  {deployment.url}" if deployment.url and deployment.action != "stop" else ""))
    if not found:
        click.echo("Nothing has been deployed: a job with `environment:` does it.", err=True)
