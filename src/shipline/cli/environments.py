"""`shipline environments`: what is deployed where; stopping it, and bringing an earlier deployment back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shipline.cli.exit_codes import PIPELINE_FAILED
from shipline.cli.options import Where, how_shown, where_jobs_run
from shipline.cli.widths import fitted, width

if TYPE_CHECKING:
    from shipline.cli.screen import View
    from shipline.engine.pipelines import Pipelines
    from shipline.engine.possessions import Environment
    from shipline.engine.records import JobRecord
    from shipline.engine.repository import Repository


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@where_jobs_run
@click.pass_context
def environments(ctx: click.Context, as_json: bool, where: Where) -> int:
    """List the environments of the repository you are in: what was deployed there last, when, and by which job.

    Environments whose `auto_stop_in` has passed are stopped first, by their `on_stop` jobs.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    from shipline.cli.state import opened_pipelines, opened_repository
    from shipline.engine.deployments import last_success
    from shipline.engine.possessions import Environment

    with opened_repository() as repository, opened_pipelines() as pipelines:
        stop_due(pipelines, repository, where)
        project = pipelines.store.project(str(repository.path))
        found = pipelines.store.possessions(project.id, Environment)
        if as_json:
            _as_json(pipelines, project.id, found)
            return 0
        names = max((width(each.name) for each in found), default=0)
        for each in found:
            last = last_success(pipelines.store, project.id, each.name)
            line = f"{fitted(each.name, names)}  {each.state.ljust(9)}"
            if last is not None:
                line += f"  {_date(last.finished_at)}  {last.ref} {last.sha[:8]}  (job {last.job_id})"
            if each.url and each.state == "available":
                line += f"  {each.url}"
            if each.auto_stop_at is not None:
                line += f"  stops {_date(each.auto_stop_at)}"
            click.echo(line.rstrip())
    if not found:
        click.echo("Nothing has been deployed: a job with `environment:` does it.", err=True)
    return 0


def _as_json(pipelines: Pipelines, project_id: int, found: list[Environment]) -> None:
    import msgspec

    from shipline.engine.deployments import last_success

    listed = [
        {
            **msgspec.to_builtins(each),
            "last_deployment": msgspec.to_builtins(last_success(pipelines.store, project_id, each.name)),
        }
        for each in found
    ]
    click.echo(msgspec.json.format(msgspec.json.encode(listed)).decode())


@environments.command("show")
@click.argument("name")
def show(name: str) -> None:
    """Show what was deployed to the environment NAME, newest first; the one that is there now has a star."""
    from shipline.cli.state import opened_pipelines, opened_repository
    from shipline.engine import environments as engine
    from shipline.engine.deployments import last_success

    with opened_repository() as repository, opened_pipelines() as pipelines:
        project = pipelines.store.project(str(repository.path))
        found = engine.environment(pipelines, project.id, name)
        now = last_success(pipelines.store, project.id, name)
        click.echo(f"{found.name}: {found.state}, {found.tier}" + (f", {found.url}" if found.url else ""))
        for deployment in engine.history(pipelines, project.id, name):
            star = "*" if deployment == now and found.state != "stopped" else " "
            when = _date(deployment.finished_at or deployment.created_at)
            line = f"{star} job {deployment.job_id}  {deployment.status.ljust(8)}  {when}"
            click.echo(f"{line}  {deployment.ref} {deployment.sha[:8]}  (pipeline {deployment.pipeline_id})")


@environments.command("stop")
@click.argument("name")
@click.option("--force", is_flag=True, help="Without its `on_stop` job: only write down that it is stopped.")
@how_shown
@where_jobs_run
def stop(name: str, force: bool, view: View, where: Where) -> int:
    """Stop the environment NAME: run the `on_stop` job of what is deployed there. Where there is none, it is only
    written down that it is stopped."""
    from shipline.cli.state import opened_pipelines, opened_repository
    from shipline.engine import environments as engine

    with opened_repository() as repository, opened_pipelines() as pipelines:
        project = pipelines.store.project(str(repository.path))
        found = engine.environment(pipelines, project.id, name)
        if found.state == "stopped":
            click.echo(f"{name} is stopped already.", err=True)
            return 0
        jobs = [] if force else engine.stop_actions(pipelines, project.id, name)
        if not jobs:
            engine.change(pipelines, project.id, found, "stopped")
            click.echo(f"{name} is stopped" + ("." if force else " (it has no `on_stop` job that could be run)."))
            return 0
        engine.change(pipelines, project.id, found, "stopping")
        code = _run(pipelines, jobs, where, view)
        if engine.environment(pipelines, project.id, name).state == "stopped":
            return code
        click.echo(f"{name} is not stopped: '{jobs[0].name}' has not succeeded.", err=True)
        return code or PIPELINE_FAILED


@environments.command("rollback")
@click.argument("name")
@click.argument("job", type=int, required=False)
@how_shown
@where_jobs_run
def rollback(name: str, job: int | None, view: View, where: Where) -> int:
    """Bring an earlier deployment of the environment NAME back: that of the job number JOB (`shipline environments
    show NAME` lists them), else the one before what is there now.

    As in GitLab, the job that made the deployment is run again, for its own commit and in its own pipeline. With
    the number of the current deployment's job, the same is deployed once more.
    """
    from shipline.cli.state import opened_pipelines, opened_repository
    from shipline.engine import environments as engine

    with opened_repository() as repository, opened_pipelines() as pipelines:
        project = pipelines.store.project(str(repository.path))
        target = engine.earlier(pipelines, project.id, name, job)
        made = pipelines.store.job(target.job_id)
        assert made is not None, f"job {target.job_id}"
        click.echo(f"Deploying {target.ref} {target.sha[:8]} to {name} again, by '{made.name}' (job {made.id}).")
        return _run(pipelines, [pipelines.job(made.pipeline_id, made.name)], where, view)


@environments.command("delete")
@click.argument("name")
def delete(name: str) -> None:
    """Forget the environment NAME, which must be stopped. What was deployed there stays in the history."""
    from shipline.cli.state import opened_pipelines, opened_repository
    from shipline.engine import environments as engine

    with opened_repository() as repository, opened_pipelines() as pipelines:
        engine.delete(pipelines, pipelines.store.project(str(repository.path)).id, name)


@environments.command("outdated")
@click.argument("choice", type=click.Choice(["prevent", "allow"]))
def outdated(choice: str) -> None:
    """Say what becomes of a deployment job that is older than what is deployed: `prevent` (the default) fails it
    before it runs, `allow` lets it run. GitLab's setting is called "Prevent outdated deployment jobs"."""
    import msgspec

    from shipline.cli.state import opened_pipelines, opened_repository

    with opened_repository() as repository, opened_pipelines() as pipelines:
        project = pipelines.store.project(str(repository.path))
        settings = pipelines.store.settings(project.id)
        changed = msgspec.structs.replace(settings, forward_deployment=choice == "prevent")
        pipelines.store.set_settings(project.id, changed)


def stop_due(pipelines: Pipelines, repository: Repository, where: Where) -> None:
    """Stops the environments of this repository whose time has come; says so."""
    due = pipelines.store.due_environments(pipelines.clock())
    if not due:
        return
    from shipline.cli.screen import View
    from shipline.engine import environments as engine

    project = pipelines.store.project(str(repository.path))
    listening = list(pipelines.listeners)
    for number, found in due:
        if number != project.id:
            continue
        click.echo(f"{found.name} is due to stop: its auto_stop_in ({found.auto_stop_in}) has passed.")
        jobs = engine.stop_actions(pipelines, project.id, found.name)
        engine.change(pipelines, project.id, found, "stopping" if jobs else "stopped")
        if jobs:
            _run(pipelines, jobs, where, View(quiet=True))
            pipelines.listeners[:] = listening


def _run(pipelines: Pipelines, jobs: list[JobRecord], where: Where, view: View) -> int:
    """Starts jobs of one pipeline, once more where they have run, and sees them through."""
    from shipline.cli.resume import resume
    from shipline.engine import environments as engine

    def event() -> None:
        for job in jobs:
            engine.start(pipelines, job)

    return resume(pipelines, jobs[0].pipeline_id, event, where, view, [job.name for job in jobs])


def _date(seconds: float | None) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(seconds or 0).strftime("%Y-%m-%d %H:%M")
