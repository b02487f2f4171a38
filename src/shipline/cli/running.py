"""A pipeline that this process runs, from where it is to its exit code; and what processes have left that died."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shipline.cli.exit_codes import INTERRUPTED, exit_code

if TYPE_CHECKING:
    from shipline.cli.runners import Hands
    from shipline.cli.screen import Screen
    from shipline.engine.pipelines import Pipelines
    from shipline.engine.repository import Repository
    from shipline.engine.sources import Elsewhere


def work_on(
    pipelines: Pipelines,
    pipeline_id: int,
    repository: Repository,
    hands: Hands,
    screen: Screen,
    elsewhere: Elsewhere,
) -> int:
    """Runs the pipeline's jobs, and those of what it triggers, in this process and shows them; gives the exit code.
    `elsewhere`: what includes of triggered pipelines may name."""
    from shipline.cli.hierarchy import Names
    from shipline.cli.kept import remove_replaced
    from shipline.cli.work import Work

    screen.name = Names(pipelines.store).of
    try:
        screen.begin(pipelines.live(pipeline_id))
        work = Work(pipelines, pipeline_id, repository, hands, screen, elsewhere)
        finished = work.run()
        for complaint in remove_replaced(pipelines.live(pipeline_id), hands.config):
            screen.say(complaint)
        screen.finish(pipelines.live(pipeline_id), pipelines.store)
    finally:
        screen.close()
    work.shelf.expire(pipelines, pipelines.live(pipeline_id).record.project_id)
    return exit_code(pipelines.live(pipeline_id)) if finished else INTERRUPTED


def tell_settled(pipelines: Pipelines) -> None:
    """Ends what a killed process left, and says so."""
    settled = pipelines.settle()
    if not settled:
        return
    from shipline.cli.hierarchy import Names, topmost

    names, ran = Names(pipelines.store), dict[int, list[str]]()
    for record, jobs in settled:
        told = ran.setdefault(topmost(pipelines, record.id).id, [])
        told += [names.of(job) for job in jobs if job.status == "failed"]
    for number, failed in ran.items():
        what = f"{', '.join(failed)} ran and counts as failed" if failed else "no job ran"
        click.echo(
            f"Pipeline {number} was interrupted: its process died; {what}. "
            f"To go on with it: shipline retry --pipeline {number}",
            err=True,
        )
