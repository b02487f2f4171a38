"""`shipline releases`: what jobs with `release:` have made here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from shipline.engine.pipelines import Pipelines
    from shipline.engine.possessions import Release


@click.group(invoke_without_command=True)
@click.pass_context
def releases(ctx: click.Context) -> None:
    """List the releases that pipelines of the repository you are in have made here, newest first.

    A release makes no tag in your repository: `git tag TAG COMMIT` does.
    """
    if ctx.invoked_subcommand is not None:
        return
    from shipline.cli.state import opened_pipelines, opened_repository
    from shipline.engine.possessions import Release

    with opened_repository() as repository, opened_pipelines() as pipelines:
        project = pipelines.store.project(str(repository.path))
        found = pipelines.store.possessions(project.id, Release)
    width = max((len(release.tag) for release in found), default=0)
    for release in sorted(found, key=lambda each: each.released_at, reverse=True):
        line = (
            f"{release.tag.ljust(width)}  {_date(release.released_at)}  {release.sha[:8]}  (job {release.job_id})"
        )
        click.echo(line + (f"  {release.name}" if release.name != release.tag else ""))
    if not found:
        click.echo("Nothing has been released: a job with `release:` does it.", err=True)


@releases.command("show")
@click.argument("tag")
def show(tag: str) -> None:
    """Show the release TAG: its notes and links."""
    from shipline.cli.state import opened_pipelines, opened_repository

    with opened_repository() as repository, opened_pipelines() as pipelines:
        release = _wanted(pipelines, str(repository.path), tag)
    click.echo(f"{release.name} ({release.tag}, commit {release.sha[:8]}, {_date(release.released_at)})")
    if release.milestones:
        click.echo(f"Milestones: {', '.join(release.milestones)}")
    if release.description:
        click.echo(f"\n{release.description.rstrip()}")
    if release.links:
        click.echo("")
    for link in release.links:
        click.echo(f"{link.name}: {link.url}" + (f" ({link.link_type})" if link.link_type != "other" else ""))


@releases.command("delete")
@click.argument("tag")
def delete(tag: str) -> None:
    """Forget the release TAG, so that a job can make it once more."""
    from shipline.cli.state import opened_pipelines, opened_repository
    from shipline.engine.possessions import Release

    with opened_repository() as repository, opened_pipelines() as pipelines:
        _wanted(pipelines, str(repository.path), tag)
        project = pipelines.store.project(str(repository.path))
        pipelines.store.dispossess(project.id, Release, tag)


def _wanted(pipelines: Pipelines, path: str, tag: str) -> Release:
    from shipline.engine.errors import EngineError
    from shipline.engine.possessions import Release

    project = pipelines.store.project(path)
    found = pipelines.store.possession(project.id, Release, tag)
    if found is None:
        raise EngineError(f"There is no release '{tag}': `shipline releases` lists them.")
    return found


def _date(seconds: float) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")
