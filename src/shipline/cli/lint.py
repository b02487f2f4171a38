"""`shipline lint`: what is wrong with a configuration, each finding at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shipline.cli.circumstances import Given, circumstances
from shipline.cli.configuration import Configuration, finish, opened

if TYPE_CHECKING:
    from shipline.language import Finding

INVALID = 1


@click.command()
@click.argument("path", metavar="[FILE]", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "sarif", "codequality")),
    default="text",
    show_default=True,
    help="For a person, for programs, for code scanners, for GitLab's code quality report.",
)
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@circumstances
def lint(path: str | None, form: str, strict: bool, given: Given) -> int:
    """Check a .gitlab-ci.yml and say what is wrong, and where.

    The file is read for one pipeline, by default that of a push of what is checked out; the options name another.
    Local includes are read from disk, as they are now.

    Exit codes: 0 it is valid, 1 it is not, 2 wrong usage or no such file.
    """
    from shipline.cli import findings
    from shipline.language import lint as check
    from shipline.language.lint import valid

    given = given._replace(file=path or given.file)
    configuration = opened(given)
    found = check(configuration.text, configuration.context, configuration.loader)
    if valid(found):
        found += _without_effect(configuration)
    finish(given, configuration)
    click.echo(findings.FORMS[form](found, configuration.shown), nl=form != "text" or bool(found))
    if form == "text" and valid(found):
        click.echo(f"{configuration.shown} is valid.")
    return INVALID if not valid(found) or (strict and found) else 0


def _without_effect(configuration: Configuration) -> list[Finding]:
    """What `shipline run` would tell of as changing nothing here; a job without such a keyword costs nothing."""
    if not any(keyword in configuration.text for keyword in ("dast_configuration", "kubernetes")):
        return []
    from shipline.engine.supported import cautions
    from shipline.language import LanguageError, compile

    try:
        return cautions(compile(configuration.text, configuration.context, configuration.loader))
    except LanguageError:
        return []
