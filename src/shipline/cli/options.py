"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Where(NamedTuple):
    """Where jobs run, as the command line says it."""

    kubeconfig: Path | None
    context: str | None
    cluster: str
    config: Path | None
    concurrency: int | None
    executor: str | None
    image: str | None
    timeout: int | None
    keep_failed: bool


def _duration(ctx: click.Context, param: click.Parameter, text: str | None) -> int | None:
    """Seconds, from GitLab's words for a timeout."""
    if text is None:
        return None
    from shipline.language.durations import seconds

    found = seconds(text)
    if not found:
        raise click.BadParameter(f"'{text}' is no duration: write 90s, 10m or 1h 30m.", ctx, param)
    return int(found)


def where_jobs_run(command: F) -> F:
    """Adds the options; the command gets them as one `Where` under the name `where`."""
    import functools

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        return command(where=Where(*(given.pop(name) for name in Where._fields)), **given)

    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    options = (
        click.option("--kubeconfig", type=file, help="Run pods in that cluster."),
        click.option("--context", metavar="NAME", help="The context of the kubeconfig to use."),
        click.option(
            "--cluster", metavar="NAME", default="default", show_default=True, help="The embedded cluster."
        ),
        click.option("--config", type=file, help="The runner's config.toml."),
        click.option("--concurrency", metavar="N", type=click.IntRange(min=1), help="How many jobs run at a time."),
        click.option(
            "--executor",
            type=click.Choice(["auto", "shell", "kubernetes"]),
            help="Where jobs run: in a shell of this machine, in pods, or (auto) in pods if they have an image.",
        ),
        click.option("--image", metavar="NAME", help="The image of jobs that name none; they run in pods then."),
        click.option(
            "--timeout", metavar="DURATION", callback=_duration, help="No job gets longer than that: 90s, 10m, 1h."
        ),
        click.option(
            "--keep-failed",
            is_flag=True,
            help="Hold failed jobs' pods and folders, to look into with `shipline shell`.",
        ),
    )
    for option in reversed(options):
        gathered = option(gathered)
    return gathered  # type: ignore[return-value]


def how_shown(command: F) -> F:
    """Adds the options that say how jobs are shown; the command gets them as one `View` under the name `view`."""
    import functools

    from shipline.cli.screen import View

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        return command(view=View(*(given.pop(name) for name in View._fields)), **given)

    options = (
        click.option("--quiet", "-q", is_flag=True, help="Show the summary only."),
        click.option("--logs", is_flag=True, help="In a terminal, too: all logs line by line, and no table."),
        click.option("--json", is_flag=True, help="For programs: one JSON object a line."),
        click.option(
            "--follow",
            multiple=True,
            metavar="JOB",
            shell_complete=complete_job,
            help="Show the log of this job (may be given several times).",
        ),
    )
    for option in reversed(options):
        gathered = option(gathered)
    return gathered  # type: ignore[return-value]


def complete_job(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The jobs of the newest pipeline, for the shell's completion; none where something is in the way."""
    from shipline.cli.state import chosen_pipeline, opened_pipelines

    try:
        with opened_pipelines() as pipelines:
            jobs = pipelines.live(chosen_pipeline(pipelines, ctx.params.get("pipeline")).id).jobs
    except Exception:
        return []
    return [name for name in jobs if name.startswith(incomplete)]


def pipeline_option(command: F) -> F:
    """Adds `--pipeline`."""
    return click.option(
        "--pipeline", type=int, metavar="NUMBER", help="The pipeline's number; by default the newest one."
    )(command)


def variable_option(command: F) -> F:
    """Adds `--variable`, which may be given several times."""
    return click.option(
        "--variable",
        "-v",
        "variables",
        multiple=True,
        metavar="KEY[=VALUE]",
        help="A variable for the jobs. KEY alone takes the value from the environment.",
    )(command)


def input_option(command: F) -> F:
    """Adds `--input`, which may be given several times."""
    return click.option(
        "--input", "inputs", multiple=True, metavar="KEY=VALUE", help="A value for one of the job's inputs."
    )(command)


def given_inputs(texts: tuple[str, ...]) -> dict[str, Any]:
    """The inputs by name; each value becomes what its input's type asks for. Raises click.UsageError."""
    from shipline.language.inputs import Untyped

    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.UsageError(f"--input {text}: write KEY=VALUE.")
        found[key] = Untyped(value)
    return found


def given_variables(texts: tuple[str, ...]) -> list[tuple[str, str]]:
    """The variables as pairs. Raises click.UsageError for what is none."""
    import os
    import re

    pairs = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            raise click.UsageError(f"--variable {text}: '{key}' is no variable's name (letters, digits and _).")
        if not equals:
            if key not in os.environ:
                raise click.UsageError(f"--variable {key}: the environment has no {key}. Write {key}=VALUE.")
            value = os.environ[key]
        pairs.append((key, value))
    return pairs
