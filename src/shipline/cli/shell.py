"""`shipline shell`: a terminal where a job runs, or where a failed one was kept."""

from __future__ import annotations

from pathlib import Path

import click

from shipline.cli.options import complete_job, pipeline_option

TERMINATED = 143


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("job", shell_complete=complete_job)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pipeline_option
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The runner's config.toml."
)
def shell(job: str, command: tuple[str, ...], pipeline: int | None, config: Path | None) -> int:
    """Open a shell where JOB is, with its variables and files as they are.

    JOB runs, or has failed under `shipline run --keep-failed`. A job with an image is entered in the container of
    its script; one without, in its folder on this machine. With COMMAND, run that instead of a shell:

    \b
    shipline shell test
    shipline shell test -- ls -la build

    Gives the exit code of the shell or the command; 3 when nobody can go in.
    """
    import asyncio
    import shlex

    from shipline.cli.kept import runner_of, sites
    from shipline.cli.state import chosen_job, opened_pipelines
    from shipline.runner.errors import RunnerError
    from shipline.runner.visits import enter_pod, enter_shell

    with opened_pipelines() as pipelines:
        found = chosen_job(pipelines, job, pipeline)
    known = sites()
    site = known.get(found.id) if known else None
    if site is None:
        again = f"shipline retry {shlex.quote(found.name)} --pipeline {found.pipeline_id} --keep-failed"
        if found.status == "running":
            raise RunnerError(f"Job '{found.name}' is about to run: try again in a moment.")
        told = f"Nothing is kept of job '{found.name}', which is {found.status}"
        if found.status == "failed":
            raise RunnerError(f"{told}. To keep it: {again}")
        raise RunnerError(f"{told}: only what failed under --keep-failed is.")
    if site.executor == "shell":
        return enter_shell(site, command)
    try:
        return asyncio.run(enter_pod(site, runner_of(site, config), command))
    except asyncio.CancelledError:  # SIGTERM or SIGHUP; the terminal has been put right
        return TERMINATED
