"""For which pipeline a configuration is read, as the command line says it: the options of all commands that run a
configuration or look at one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
LOCK_FILE = ".gitlab-ci.lock"
SOURCES = (
    "push",
    "web",
    "api",
    "schedule",
    "trigger",
    "merge_request_event",
    "external_pull_request_event",
    "pipeline",
    "parent_pipeline",
    "chat",
    "webide",
    "external",
    "ondemand_dast_scan",
    "ondemand_dast_validation",
    "security_orchestration_policy",
)


class Given(NamedTuple):
    """The circumstances as the command line says them."""

    file: str | None
    ref: str | None
    tag: str | None
    source: str | None
    merge_request: str | None
    schedule: str | None
    protected: bool | None
    variables: tuple[str, ...]
    variables_files: tuple[Path, ...]
    changed: tuple[str, ...]
    inputs: tuple[str, ...]
    projects: tuple[str, ...]
    templates: Path | None
    offline: bool
    lock: bool


def circumstances(command: F) -> F:
    """Adds the options; the command gets them as one `Given` under the name `given`."""

    @functools.wraps(command)
    def gathered(**options: Any) -> Any:
        return command(given=Given(*(options.pop(name) for name in Given._fields)), **options)

    several: dict[str, Any] = {"multiple": True}
    directory = click.Path(exists=True, file_okay=False, path_type=Path)
    choices = (
        click.option("--file", "-f", "file", metavar="FILE", help="The file to read (- is standard input)."),
        click.option("--ref", help="The branch, tag or commit; by default what is checked out."),
        click.option("--tag", is_flag=False, flag_value="", metavar="[NAME]", help="A pipeline for a tag."),
        click.option(
            "--source",
            type=click.Choice(SOURCES),
            metavar="EVENT",
            help="What started it: push, schedule, web, api...",
        ),
        click.option(
            "--merge-request",
            is_flag=False,
            flag_value="",
            metavar="[TARGET]",
            help="A merge request's pipeline, into that branch (by default the default branch).",
        ),
        click.option(
            "--schedule",
            is_flag=False,
            flag_value="",
            metavar="[DESCRIPTION]",
            help="A schedule's pipeline; a schedule has a description.",
        ),
        click.option("--protected/--unprotected", default=None, help="Whether the branch or tag is protected."),
        click.option(
            "--variable",
            "-v",
            "variables",
            metavar="KEY[=VALUE]",
            help="A pipeline variable. KEY alone takes the value from the environment.",
            **several,
        ),
        click.option(
            "--variables-file",
            "variables_files",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="A file of pipeline variables: NAME=VALUE lines, YAML or JSON.",
            **several,
        ),
        click.option("--changed", metavar="PATH", help="A path that changed, for rules:changes.", **several),
        click.option("--input", "inputs", metavar="KEY=VALUE", help="A value for spec:inputs.", **several),
        click.option(
            "--project",
            "projects",
            metavar="PATH=DIR",
            help="Where another project is on this disk.",
            envvar="SHIPLINE_PROJECTS",
            show_envvar=True,
            **several,
        ),
        click.option(
            "--templates",
            type=directory,
            help="A directory with GitLab's templates.",
            envvar="SHIPLINE_TEMPLATES",
            show_envvar=True,
        ),
        click.option("--offline", is_flag=True, help="Take remote files from the cache, never the network."),
        click.option("--lock", is_flag=True, help=f"Write what was fetched to {LOCK_FILE}."),
    )
    for option in reversed(choices):
        gathered = option(gathered)
    return gathered  # type: ignore[return-value]
