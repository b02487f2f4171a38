"""`shipline cleanup`: removes failed jobs that were kept, and what killed runs left."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The runner's config.toml."
)
def cleanup(jobs: tuple[str, ...], config: Path | None) -> None:
    """Remove what is kept of these failed jobs (names or numbers), or of all: pods, and folders on this machine.

    `shipline status` lists them. Also removes what a killed run left of its jobs.
    """
    from shipline.cli.kept import remove_all, sites
    from shipline.cli.widths import plain
    from shipline.runner.errors import RunnerError

    known = sites()
    kept = known.kept() if known else []
    for job in jobs:
        if not any(job in (str(site.job), site.name) for site in kept):
            raise click.UsageError(f"Nothing is kept of a job {job}. `shipline status` lists what is.")
    wanted = [site for site in kept if not jobs or not {str(site.job), site.name}.isdisjoint(jobs)]
    if known is None or not (wanted or known.abandoned()):
        click.echo("Nothing is kept.")
        return
    abandoned = [] if jobs else known.abandoned()
    complaints = remove_all(known, [*wanted, *abandoned], config)
    left = {site.job for site in known}
    for site in (*wanted, *abandoned):
        if site.job not in left:
            click.echo(f"Removed {plain(site.name)} (job {site.job}).")
    if complaints:
        raise RunnerError("\n".join(complaints))
