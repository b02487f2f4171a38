"""`shipline run`: the pipeline of the repository we are in, from its commit to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shipline.cli.circumstances import Given, circumstances
from shipline.cli.confirmation import confirm
from shipline.cli.options import Where, how_shown, where_jobs_run
from shipline.cli.running import tell_settled, work_on

if TYPE_CHECKING:
    from shipline.cli.screen import View
    from shipline.engine.creation import Plan
    from shipline.engine.pipelines import Pipelines
    from shipline.language import Finding
    from shipline.language.pipeline import Job

ALL = "\0"
"""What `--manual` without a name stands for: no job has that name."""
MANY = 20
"""How many names an error lists."""


@click.command()
@circumstances
@click.option("--dirty", is_flag=True, help="Run with the uncommitted changes of the working tree.")
@click.option(
    "--job", "jobs", multiple=True, metavar="NAME", help="Run only this job (may be given several times)."
)
@click.option("--stage", "stages", multiple=True, metavar="NAME", help="Run only the jobs of this stage.")
@click.option("--needs", is_flag=True, help="With --job or --stage: run what these jobs need, too.")
@click.option(
    "--manual",
    "manual",
    is_flag=False,
    flag_value=ALL,
    multiple=True,
    metavar="[NAME]",
    help="Start manual jobs, too: all, or the one of that name.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask, also where a manual job wants to be confirmed.")
@how_shown
@where_jobs_run
def run(
    given: Given,
    dirty: bool,
    jobs: tuple[str, ...],
    stages: tuple[str, ...],
    needs: bool,
    manual: tuple[str, ...],
    yes: bool,
    view: View,
    where: Where,
) -> int:
    """Run the pipeline of the repository you are in.

    The jobs see the commit as it is in git: what is not committed is not part of it, unless --dirty is given. Jobs
    with an image run in pods: of the cluster that --kubeconfig or --context name, else of an embedded one. Jobs
    without an image run in a shell of this machine, in a copy of the repository.

    Exit codes: 0 the pipeline succeeded (or only waits for manual jobs), 1 it failed, 2 wrong usage or an invalid
    configuration, 3 something outside is missing or broken (a container engine, a cluster), 130 interrupted.
    """
    if dirty and (given.ref or given.tag):
        raise click.UsageError(
            "--dirty is about the working tree, --ref and --tag about a commit: use one of them."
        )
    if needs and not (jobs or stages):
        raise click.UsageError("--needs is about the jobs of --job or --stage: name some.")
    from shipline.cli.requests import asked_for
    from shipline.cli.runners import runners
    from shipline.cli.screens import chosen_screen
    from shipline.cli.state import opened_pipelines, opened_repository
    from shipline.engine.creation import planned
    from shipline.engine.selection import Selection

    selection = Selection(jobs, stages, needs, tuple(name for name in manual if name != ALL), ALL in manual)
    with opened_repository() as repository, opened_pipelines() as pipelines:
        tell_settled(pipelines)
        if pipelines.store.due_environments(pipelines.clock()):
            from shipline.cli.environments import stop_due

            stop_due(pipelines, repository, where)
        commit, request = asked_for(given, repository, selection, dirty)
        with planned(pipelines, repository, commit, request) as plan:
            tell_warnings(plan.warnings)
            tell_missing(pipelines, plan)
            confirm([j for j in plan.compiled.jobs if j.manual_confirmation and j.when != "manual"], yes)
            _check_followed(view, plan.compiled.jobs)
            screen = chosen_screen(view)
            pods = any(job.image and job.when != "manual" for job in plan.compiled.jobs)
            hands = runners(where, pods, screen.say)
            if given.lock and request.elsewhere.fetch is not None:
                request.elsewhere.fetch.write_lock()  # type: ignore[attr-defined]
            number = plan.create(pipelines).id
        code = work_on(pipelines, number, repository, hands, screen, request.elsewhere)
        _tell_unfollowed(pipelines, number, view)
        return code


def _check_followed(view: View, jobs: list[Job]) -> None:
    """Raises click.UsageError where `--follow` names a job that will never be; of triggered pipelines' jobs nobody
    knows yet."""
    from shipline.cli.followed import called

    names = [job.name for job in jobs]
    known = {name for job in jobs for name in called(job.name, job.name)}
    unknown = [name for name in view.follow if name not in known]
    if unknown and not any(job.trigger for job in jobs):
        shown = ", ".join(names if len(names) <= MANY else [*names[:MANY], "..."])
        raise click.UsageError(f"--follow {unknown[0]}: this pipeline has no such job. It has: {shown}.")


def _tell_unfollowed(pipelines: Pipelines, pipeline_id: int, view: View) -> None:
    """Says of jobs that were to be followed that there was none of the name, in triggered pipelines neither."""
    if not view.follow:
        return
    from shipline.cli.followed import called
    from shipline.cli.hierarchy import Names, together

    names = Names(pipelines.store)
    lives = together(pipelines.live(pipeline_id), pipelines.store)
    known = {name for live in lives for job in live.jobs.values() for name in called(names.of(job), job.name)}
    for name in view.follow:
        if name not in known:
            click.echo(f"Warning: --follow {name}: no job was called so.", err=True)


def tell_missing(pipelines: Pipelines, plan: Plan) -> None:
    """Says of jobs that run alone whose files they lack."""
    if not any(job.borrows for job in plan.compiled.jobs):
        return
    from shipline.cli.state import home
    from shipline.engine.borrowing import missing
    from shipline.engine.shelf import LocalShelf

    shelf = LocalShelf(pipelines.store, home())
    for job in plan.compiled.jobs:
        if names := missing(pipelines.store, shelf, plan.project.id, plan.commit, job):
            listed = ", ".join(f"'{name}'" for name in names)
            click.echo(
                f"Warning: Job '{job.name}' gets files of {listed}, of which there are none here. "
                "With --needs, the jobs before it run first.",
                err=True,
            )


def tell_warnings(warnings: list[Finding]) -> None:
    """What GitLab would complain of, and what was taken for something else than it says."""
    for warning in warnings:
        from shipline.cli.findings import one

        click.echo(one(warning), err=True)
