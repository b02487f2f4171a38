"""`shipline cancel`: stops what another terminal runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shipline.cli.options import complete_job, pipeline_option

if TYPE_CHECKING:
    from shipline.engine.pipelines import Pipelines
    from shipline.engine.records import JobRecord


@click.command()
@click.argument("job", shell_complete=complete_job, required=False)
@pipeline_option
def cancel(job: str | None, pipeline: int | None) -> None:
    """Cancel JOB; without JOB, the whole pipeline. What is cancelled takes its child pipelines with it.

    Scripts that run are stopped, their after_script still runs. The command does not wait for that.
    """
    from shipline.cli import texts
    from shipline.cli.hierarchy import Names
    from shipline.cli.running import tell_settled
    from shipline.cli.state import chosen_job, chosen_pipeline, opened_pipelines

    with opened_pipelines() as pipelines:
        tell_settled(pipelines)
        if job is not None:
            found = chosen_job(pipelines, job, pipeline)
            number, name = found.pipeline_id, found.name
        else:
            number, name = chosen_pipeline(pipelines, pipeline).id, None
        before = _jobs(pipelines, number)
        pipelines.cancel(number, name)
        changed = [job for job in _jobs(pipelines, number) if job not in before]
        names = Names(pipelines.store)
        for record in changed:
            click.echo(f"{names.of(record)}: {texts.status(record.status)}")
        if not changed:
            click.echo(f"Nothing of it is running or waiting to run in pipeline {number}.")


def _jobs(pipelines: Pipelines, pipeline_id: int) -> list[JobRecord]:
    """The jobs of a pipeline and of what it has triggered, as they are stored."""
    from shipline.cli.hierarchy import together

    numbers = [live.record.id for live in together(pipelines.live(pipeline_id), pipelines.store)]
    return [job for number in numbers for job in pipelines.store.jobs(number)]
