"""`shipline preview`: the configuration after includes, extends and references, or the compiled pipeline."""

from __future__ import annotations

import json

import click

from shipline.cli.circumstances import Given, circumstances
from shipline.cli.configuration import finish, opened


@click.command()
@click.argument("path", metavar="[FILE]", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(("yaml", "json")),
    default="yaml",
    show_default=True,
    help="yaml: the merged file; json: the pipeline that it makes, its stages and every job's effective values.",
)
@circumstances
def preview(path: str | None, form: str, given: Given) -> int:
    """Print the configuration after includes, extends and references.

    With --format json, print the compiled pipeline instead: `stages`, and under `jobs` what each job really has,
    by GitLab's keywords, after defaults, rules and matrix.

    Exit codes: 0 fine, 2 wrong usage or an invalid configuration.
    """
    from shipline.language import compile, merged
    from shipline.language.merge import as_yaml
    from shipline.language.presentation import pipeline_data

    given = given._replace(file=path or given.file)
    configuration = opened(given)
    arguments = (configuration.text, configuration.context, configuration.loader)
    if form == "yaml":
        text = as_yaml(merged(*arguments)).rstrip("\n")
    else:
        text = json.dumps(pipeline_data(compile(*arguments)), indent=2, ensure_ascii=False)
    finish(given, configuration)
    click.echo(text)
    return 0
