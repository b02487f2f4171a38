"""`shipline retry`: a job, or everything of a pipeline that failed, once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shipline.cli.options import (
    Where,
    complete_job,
    given_inputs,
    given_variables,
    how_shown,
    input_option,
    pipeline_option,
    variable_option,
    where_jobs_run,
)

if TYPE_CHECKING:
    from shipline.cli.screen import View


@click.command()
@click.argument("job", shell_complete=complete_job, required=False)
@pipeline_option
@variable_option
@input_option
@how_shown
@where_jobs_run
def retry(
    job: str | None,
    pipeline: int | None,
    variables: tuple[str, ...],
    inputs: tuple[str, ...],
    view: View,
    where: Where,
) -> int:
    """Run JOB again; without JOB, all jobs of the pipeline that failed or were cancelled.

    What was skipped because of them gets another chance. Where a child pipeline failed, its failed jobs run again;
    a trigger job that is named makes a new pipeline. Exit codes are those of `shipline run`.
    """
    from shipline.cli.hierarchy import together
    from shipline.cli.resume import resume
    from shipline.cli.state import chosen_job, chosen_pipeline, opened_pipelines
    from shipline.engine.errors import EngineError
    from shipline.engine.records import PipelineVariable

    pairs, filled = [PipelineVariable(*pair) for pair in given_variables(variables)], given_inputs(inputs)
    if job is None and (pairs or filled):
        raise click.UsageError("--variable and --input are for one job: name it.")

    with opened_pipelines() as pipelines:
        if job is not None:
            found = chosen_job(pipelines, job, pipeline)
            number, name = found.pipeline_id, found.name
            return resume(
                pipelines, number, lambda: pipelines.retry(number, name, pairs, filled), where, view, [name]
            )
        number = chosen_pipeline(pipelines, pipeline).id
        jobs = pipelines.live(number).jobs.values()
        again = [job.name for job in jobs if job.status in ("failed", "canceled")]
        if not again:
            below = [live for live in together(pipelines.live(number), pipelines.store) if live.record.id != number]
            failed = [live.record.id for live in below if live.with_status("failed", "canceled")]
            hint = f"pipeline {failed[0]} has: shipline retry --pipeline {failed[0]}" if failed else ""
            hint = hint or "`shipline retry JOB` names one."
            raise EngineError(f"Pipeline {number} has no failed or cancelled job; {hint}")
        return resume(pipelines, number, lambda: pipelines.retry_failed(number), where, view, again)
