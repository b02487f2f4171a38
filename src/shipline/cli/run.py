"""`shipline run`: the pipeline of the repository we are in, from its commit to its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shipline.cli.failures import INTERRUPTED, PIPELINE_FAILED
from shipline.cli.options import Where, given_variables, variable_option, where_jobs_run

if TYPE_CHECKING:
    from shipline.cli.runners import Hands
    from shipline.engine.live import Live
    from shipline.engine.pipelines import Pipelines
    from shipline.engine.repository import Repository
    from shipline.engine.sources import Elsewhere
    from shipline.language import Finding


DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--ref", help="The branch, tag or commit to run for; by default what is checked out.")
@click.option("--dirty", is_flag=True, help="Run with the uncommitted changes of the working tree.")
@click.option(
    "--job", "jobs", multiple=True, metavar="NAME", help="Run only this job (may be given several times)."
)
@variable_option
@click.option("--project", "projects", multiple=True, metavar="PATH=DIR", help="Where an included project is.")
@click.option("--templates", type=DIRECTORY, help="A directory with GitLab's templates.")
@click.option("--quiet", "-q", is_flag=True, help="Show the summary only, not the logs.")
@where_jobs_run
def run(
    ref: str | None,
    dirty: bool,
    jobs: tuple[str, ...],
    variables: tuple[str, ...],
    projects: tuple[str, ...],
    templates: Path | None,
    quiet: bool,
    where: Where,
) -> int:
    """Run the pipeline of the repository you are in.

    The jobs see the commit as it is in git: what is not committed is not part of it, unless --dirty is given. Jobs
    with an image run in pods: of the cluster that --kubeconfig or --context name, else of an embedded one. Jobs
    without an image run in a shell of this machine, in a copy of the repository.

    Exit codes: 0 the pipeline succeeded (or only waits for manual jobs), 1 it failed, 2 wrong usage or an invalid
    configuration, 3 something outside is missing or broken (a container engine, a cluster), 130 interrupted.
    """
    if dirty and ref:
        raise click.UsageError("--dirty is about the working tree, --ref about a commit: use one of them.")
    given = given_variables(variables)
    from shipline.cli.runners import runners
    from shipline.cli.state import opened_pipelines, opened_repository
    from shipline.engine.creation import Request, plan_pipeline
    from shipline.engine.records import PipelineVariable

    with opened_repository() as repository, opened_pipelines() as pipelines:
        tell_settled(pipelines)
        commit = repository.snapshot() if dirty else repository.commit(ref)
        request = Request(
            variables=[PipelineVariable(key, value) for key, value in given],
            jobs=list(jobs),
            elsewhere=_elsewhere(repository, projects, templates),
        )
        plan = plan_pipeline(pipelines, repository, commit, request)
        tell_warnings(plan.warnings)
        hands = runners(where, any(job.image and job.when != "manual" for job in plan.compiled.jobs), click.echo)
        return work_on(pipelines, plan.create(pipelines).id, repository, hands, quiet)


def _elsewhere(repository: Repository, projects: tuple[str, ...], templates: Path | None) -> Elsewhere:
    """Where includes of other projects, of the web and of templates are looked for."""
    from shipline.cli.circumstances import LOCK_FILE, download, other_projects
    from shipline.cli.state import home
    from shipline.engine.sources import Elsewhere
    from shipline.language.fetched import Fetched
    from shipline.language.loaders import Directory

    lock = repository.path / LOCK_FILE
    return Elsewhere(
        projects=other_projects(projects),
        fetch=Fetched(download, home() / "includes", lock if lock.exists() else None),
        server="https://gitlab.com",
        templates=Directory(templates) if templates else None,
    )


def tell_warnings(warnings: list[Finding]) -> None:
    """What GitLab would complain of, and what was taken for something else than it says."""
    from shipline.cli.findings import one

    for warning in warnings:
        click.echo(one(warning), err=True)


def work_on(
    pipelines: Pipelines, pipeline_id: int, repository: Repository, hands: Hands, quiet: bool = False
) -> int:
    """Runs the pipeline's jobs in this process and shows them; gives the exit code."""
    from shipline.cli import texts
    from shipline.cli.screen import Screen
    from shipline.cli.summary import summary
    from shipline.cli.work import Work

    live = pipelines.live(pipeline_id)
    screen = Screen(list(live.jobs), quiet)
    screen.say(f"Pipeline {pipeline_id}: {texts.commit(live.record)}")
    finished = Work(pipelines, pipeline_id, repository, hands, screen).run()
    for line in summary(pipelines.live(pipeline_id), pipelines.store):
        screen.say(line)
    return exit_code(pipelines.live(pipeline_id)) if finished else INTERRUPTED


def exit_code(live: Live) -> int:
    """0 unless a job failed that may not, or the pipeline was cancelled."""
    broken = any(job.status == "failed" and not job.allow_failure for job in live.jobs.values())
    return PIPELINE_FAILED if broken or live.record.status in ("failed", "canceled") else 0


def tell_settled(pipelines: Pipelines) -> None:
    """Ends what a killed process left, and says so."""
    for record, jobs in pipelines.settle():
        ran = [job.name for job in jobs if job.status == "failed"]
        what = f"{', '.join(ran)} ran and counts as failed" if ran else "no job ran"
        click.echo(
            f"Pipeline {record.id} was interrupted: its process died; {what}. "
            f"To go on with it: shipline retry --pipeline {record.id}",
            err=True,
        )
