"""`shipline variable`: the CI/CD variables of a project, which are no business of its repository."""

from __future__ import annotations

from pathlib import Path

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def variable() -> None:
    """Keep the CI/CD variables of the repository you are in: what a GitLab project has in its settings."""


@variable.command("set")
@click.argument("key")
@click.option(
    "--file", "from_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Read it from there."
)
@click.option("--value", help="The value itself. Others may see it in the list of processes: not for secrets.")
@click.option("--type", "kind", type=click.Choice(["env_var", "file"]), default="env_var", show_default=True)
@click.option("--masked", is_flag=True, help="Hide the value in logs.")
@click.option("--protected", is_flag=True, help="Only for pipelines of the default branch.")
@click.option("--raw", is_flag=True, help="Do not expand variables in the value.")
@click.option("--scope", default="*", show_default=True, help="The environments that get it: a name, or with *.")
def set_variable(
    key: str,
    from_file: Path | None,
    value: str | None,
    kind: str,
    masked: bool,
    protected: bool,
    raw: bool,
    scope: str,
) -> None:
    """Set the variable KEY. The value is read from standard input, or from --file.

    \b
    shipline variable set DEPLOY_TOKEN --masked < token.txt
    shipline variable set KUBECONFIG --type file --file ~/.kube/config
    """
    import msgspec

    from shipline.cli.state import opened_pipelines, opened_repository
    from shipline.engine.records import ProjectVariable
    from shipline.engine.variable_rules import check

    content = _value(key, from_file, value)
    fields = {
        "key": key,
        "value": content,
        "kind": kind,
        "masked": masked,
        "protected": protected,
        "raw": raw,
        "environment_scope": scope,
    }
    new = check(msgspec.convert(fields, ProjectVariable))
    with opened_repository() as repository, opened_pipelines() as pipelines:
        pipelines.store.set_variable(pipelines.store.project(str(repository.path)).id, new)


@variable.command("list")
def list_variables() -> None:
    """List the variables, without their values."""
    from shipline.cli.state import opened_pipelines, opened_repository

    with opened_repository() as repository, opened_pipelines() as pipelines:
        kept = pipelines.store.variables(pipelines.store.project(str(repository.path)).id)
    width = max((len(item.key) for item in kept), default=0)
    for item in kept:
        flags = [
            name for name, on in (("masked", item.masked), ("protected", item.protected), ("raw", item.raw)) if on
        ]
        scope = "" if item.environment_scope == "*" else f"  for {item.environment_scope}"
        click.echo(f"{item.key.ljust(width)}  {item.kind.ljust(7)}  {', '.join(flags)}{scope}".rstrip())
    if not kept:
        click.echo("There are no variables: `shipline variable set KEY` sets one.", err=True)


@variable.command("delete")
@click.argument("key")
@click.option("--scope", help="Only the one of that scope.")
def delete_variable(key: str, scope: str | None) -> None:
    """Delete the variable KEY."""
    from shipline.cli.state import opened_pipelines, opened_repository

    with opened_repository() as repository, opened_pipelines() as pipelines:
        project = pipelines.store.project(str(repository.path))
        if not pipelines.store.delete_variable(project.id, key, scope):
            raise click.UsageError(f"There is no variable {key}" + (f" for {scope}." if scope else "."))


def _value(key: str, from_file: Path | None, value: str | None) -> str:
    import sys

    if value is not None:
        if from_file is not None:
            raise click.UsageError("--value and --file both give a value: use one of them.")
        return value
    if from_file is not None:
        return from_file.read_text(encoding="utf-8")
    if sys.stdin.isatty():
        answer: str = click.prompt(f"Value of {key}", hide_input=True)
        return answer
    text = sys.stdin.read()
    return text[:-1] if text.endswith("\n") and text.count("\n") == 1 else text
