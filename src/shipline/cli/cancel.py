"""`shipline cancel`: stops what another terminal runs."""

from __future__ import annotations

import click

from shipline.cli.options import complete_job, pipeline_option


@click.command()
@click.argument("job", shell_complete=complete_job, required=False)
@pipeline_option
def cancel(job: str | None, pipeline: int | None) -> None:
    """Cancel JOB; without JOB, the whole pipeline.

    Scripts that run are stopped, their after_script still runs. The command does not wait for that.
    """
    from shipline.cli import texts
    from shipline.cli.run import tell_settled
    from shipline.cli.state import chosen_job, chosen_pipeline, opened_pipelines

    with opened_pipelines() as pipelines:
        tell_settled(pipelines)
        if job is not None:
            found = chosen_job(pipelines, job, pipeline)
            number, before = found.pipeline_id, {found.name: found.status}
            pipelines.cancel(number, found.name)
        else:
            number = chosen_pipeline(pipelines, pipeline).id
            before = {name: record.status for name, record in pipelines.live(number).jobs.items()}
            pipelines.cancel(number)
        after = pipelines.live(number).jobs
        changed = [name for name, status in before.items() if after[name].status != status]
        for name in changed:
            click.echo(f"{name}: {texts.status(after[name].status)}")
        if not changed:
            click.echo(f"Nothing of it is running or waiting to run in pipeline {number}.")
