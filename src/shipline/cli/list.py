"""`shipline list`: the jobs of one pipeline, as a table or for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from shipline.cli.circumstances import Given, circumstances
from shipline.cli.configuration import finish, opened
from shipline.cli.widths import fitted, plain, width

if TYPE_CHECKING:
    from shipline.language import Job

COLUMNS = ("name", "stage", "when", "allow_failure", "needs")


@click.command("list")
@click.argument("path", metavar="[FILE]", required=False)
@click.option(
    "--format", "form", type=click.Choice(("table", "json", "csv")), default="table", show_default=True, help="How."
)
@circumstances
def list_jobs(path: str | None, form: str, given: Given) -> int:
    """List the jobs that a pipeline would have.

    By default for a push of what is checked out; the options name another pipeline. Jobs that their rules keep
    out are not listed: `shipline explain JOB` says why.

    Exit codes: 0 fine, 2 wrong usage or an invalid configuration.
    """
    given = given._replace(file=path or given.file)
    configuration = opened(given, mend=True)
    from shipline.language import compile

    pipeline = compile(configuration.text, configuration.context, configuration.loader)
    finish(given, configuration)
    for warning in pipeline.warnings:
        click.echo(str(warning), err=True)
    rows = [row(job) for job in ordered(pipeline.jobs)]
    if form == "json":
        import json

        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif form == "csv":
        click.echo(as_csv(rows), nl=False)
    elif rows:
        click.echo(as_table(rows))
    else:
        click.echo("No jobs: GitLab would make no pipeline here.")
    return 0


def ordered(jobs: list[Job]) -> list[Job]:
    """The jobs by stage, within one in the file's order."""
    return sorted(jobs, key=lambda job: job.stage_index)


def row(job: Job) -> dict[str, Any]:
    """What the list says of a job; `needs` None means that the stages order it."""
    return {
        "name": job.name,
        "stage": job.stage,
        "when": job.when,
        "allow_failure": {"exit_codes": job.allow_failure_exit_codes}
        if job.allow_failure_exit_codes
        else job.allow_failure,
        "needs": None if job.needs is None else [need.job or f"pipeline {need.pipeline}" for need in job.needs],
    }


def cells(entry: dict[str, Any]) -> list[str]:
    """A row as texts."""
    allowed = entry["allow_failure"]
    if isinstance(allowed, dict):
        allowed = "exit " + " ".join(str(code) for code in allowed["exit_codes"])
    else:
        allowed = "yes" if allowed else "no"
    needs = "" if entry["needs"] is None else ", ".join(entry["needs"]) or "none"
    return [entry["name"], entry["stage"], entry["when"], allowed, needs]


def as_csv(rows: list[dict[str, Any]]) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(cells(entry) for entry in rows)
    return text.getvalue()


def as_table(rows: list[dict[str, Any]]) -> str:
    titles = ["JOB", "STAGE", "WHEN", "MAY FAIL", "NEEDS"]
    table = [titles, *([plain(cell) for cell in cells(entry)] for entry in rows)]
    widths = [max(width(line[column]) for line in table) for column in range(len(titles) - 1)]
    return "\n".join("  ".join([*map(fitted, line[:-1], widths), line[-1]]).rstrip() for line in table)
