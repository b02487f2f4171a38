"""`shipline lint`: what is wrong with a configuration, each finding at its place."""

from __future__ import annotations

import click

from shipline.cli.circumstances import Given, circumstances, finish, opened

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
    finish(given, configuration)
    click.echo(findings.FORMS[form](found, configuration.shown), nl=form != "text" or bool(found))
    if form == "text" and valid(found):
        click.echo(f"{configuration.shown} is valid.")
    return INVALID if not valid(found) or (strict and found) else 0
