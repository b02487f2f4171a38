"""`shipline play`: a person starts a job that waits for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shipline.cli.confirmation import confirm
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
@click.argument("job", shell_complete=complete_job)
@pipeline_option
@variable_option
@input_option
@click.option("--yes", "-y", is_flag=True, help="Do not ask, also where the job wants to be confirmed.")
@how_shown
@where_jobs_run
def play(
    job: str,
    pipeline: int | None,
    variables: tuple[str, ...],
    inputs: tuple[str, ...],
    yes: bool,
    view: View,
    where: Where,
) -> int:
    """Start the manual job JOB, or a delayed one before its time, and all that waits for it.

    Works long after `shipline run` has gone: the pipeline and its commit are remembered. Exit codes are those of
    `shipline run`.
    """
    given, filled = given_variables(variables), given_inputs(inputs)
    from shipline.cli.resume import resume
    from shipline.cli.state import chosen_job, opened_pipelines
    from shipline.engine.records import PipelineVariable

    with opened_pipelines() as pipelines:
        found = chosen_job(pipelines, job, pipeline)
        definition = pipelines.live(found.pipeline_id).definitions[found.name]
        if definition.manual_confirmation and found.status in ("manual", "scheduled"):
            confirm([definition], yes)
        pairs = [PipelineVariable(key, value) for key, value in given]
        number, name = found.pipeline_id, found.name
        return resume(pipelines, number, lambda: pipelines.play(number, name, pairs, filled), where, view, [name])
