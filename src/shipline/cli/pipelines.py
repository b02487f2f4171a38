"""`shipline pipelines`: what has been run for this repository."""

from __future__ import annotations

import click


@click.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="How many, newest first.")
def pipelines(limit: int) -> None:
    """List the pipelines of the repository you are in, newest first."""
    from datetime import datetime

    from shipline.cli import texts
    from shipline.cli.hierarchy import Names, topmost
    from shipline.cli.state import opened_pipelines, opened_repository

    with opened_repository() as repository, opened_pipelines() as opened:
        project = opened.store.project(str(repository.path))
        records = opened.store.pipelines(project.id, limit)
        if not records:
            click.echo(f"{project.path} has had no pipeline yet: `shipline run` makes one.")
        names = Names(opened.store)
        for record in records:
            made = datetime.fromtimestamp(record.created_at).strftime("%Y-%m-%d %H:%M")
            line = f"{record.id:>6}  {made}  {texts.status(record.status, 9)}  {texts.commit(record)}"
            if record.upstream is not None:
                top = topmost(opened, record.id).id
                line += f"  (of pipeline {top}: {names.prefix(record.id).removesuffix('/')})"
            click.echo(line)
