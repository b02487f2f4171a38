"""`shipline variable`: the CI/CD variables of a project, which are no business of its repository."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from shipline.engine.pipelines import Pipelines
    from shipline.engine.records import ProjectVariable

READ = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def variable() -> None:
    """Keep the CI/CD variables of the repository you are in: what a GitLab project has in its settings."""


@variable.command("set")
@click.argument("key")
@click.option("--file", "from_file", type=READ, help="Read it from there.")
@click.option("--value", help="The value itself. Others may see it in the list of processes: not for secrets.")
@click.option("--type", "kind", type=click.Choice(["env_var", "file"]), default="env_var", show_default=True)
@click.option("--masked", is_flag=True, help="Hide the value in logs.")
@click.option("--hidden", is_flag=True, help="Masked, and no command shows the value any more.")
@click.option("--protected", is_flag=True, help="Only for pipelines of protected branches and tags.")
@click.option("--raw", is_flag=True, help="Do not expand variables in the value.")
@click.option("--scope", default="*", show_default=True, help="The environments that get it: a name, or with *.")
@click.option("--description", default="", help="What it is for.")
def set_variable(
    key: str,
    from_file: Path | None,
    value: str | None,
    kind: str,
    masked: bool,
    hidden: bool,
    protected: bool,
    raw: bool,
    scope: str,
    description: str,
) -> None:
    """Set the variable KEY. The value is read from standard input, or from --file.

    \b
    shipline variable set DEPLOY_TOKEN --masked < token.txt
    shipline variable set KUBECONFIG --type file --file ~/.kube/config
    """
    import msgspec

    from shipline.engine.records import ProjectVariable

    fields = {
        "key": key,
        "value": _value(key, kind, from_file, value),
        "kind": kind,
        "masked": masked or hidden,
        "hidden": hidden,
        "protected": protected,
        "raw": raw,
        "environment_scope": scope,
        "description": description,
    }
    with _kept() as (pipelines, project, kept):
        _set(pipelines, project, kept, [msgspec.convert(fields, ProjectVariable)])


@variable.command("get")
@click.argument("key")
@click.option("--scope", default="*", show_default=True, help="The one of that scope.")
def get_variable(key: str, scope: str) -> None:
    """Print the value of the variable KEY, unless it is hidden."""
    with _kept() as (_, _project, kept):
        found = next((item for item in kept if (item.key, item.environment_scope) == (key, scope)), None)
    if found is None:
        raise click.UsageError(f"There is no variable {key} for {scope}.")
    if found.hidden:
        raise click.UsageError(f"The variable {key} is hidden: nobody is shown its value any more.")
    click.echo(found.value, nl=not found.value.endswith("\n"))


@variable.command("list")
@click.option("--values", is_flag=True, help="Show the values, too, of those that are not masked.")
@click.option("--json", "as_json", is_flag=True, help="As GitLab's API lists them; masked values are null.")
def list_variables(values: bool, as_json: bool) -> None:
    """List the variables. Masked values are not shown (`shipline variable get` shows one that is not hidden)."""
    from shipline.cli.variable_forms import as_api
    from shipline.cli.widths import cut, plain

    with _kept() as (_, _project, kept):
        pass
    if as_json:
        import json

        content = [as_api(item) | ({"value": None} if item.masked else {}) for item in kept]
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    width = max((len(item.key) for item in kept), default=0)
    for item in kept:
        masked = "hidden" if item.hidden else "masked" if item.masked else ""
        flags = [masked, "protected" if item.protected else "", "raw" if item.raw else ""]
        scope = "" if item.environment_scope == "*" else f"  for {item.environment_scope}"
        line = f"{item.key.ljust(width)}  {item.kind.ljust(7)}  {', '.join(filter(None, flags))}{scope}".rstrip()
        if values:
            line += f"  = {'[MASKED]' if item.masked else cut(plain(item.value), 60)}"
        click.echo(line + (f"  # {plain(item.description)}" if item.description else ""))
    if not kept:
        click.echo("There are no variables: `shipline variable set KEY` sets one.", err=True)


@variable.command("delete")
@click.argument("key")
@click.option("--scope", help="Only the one of that scope.")
def delete_variable(key: str, scope: str | None) -> None:
    """Delete the variable KEY."""
    with _kept() as (pipelines, project, _):
        if not pipelines.store.delete_variable(project, key, scope):
            raise click.UsageError(f"There is no variable {key}" + (f" for {scope}." if scope else "."))


@variable.command("export")
@click.option(
    "--format", "form", type=click.Choice(["json", "dotenv"]), default="json", show_default=True, help="How."
)
def export_variables(form: str) -> None:
    """Print the variables with their values, for `shipline variable import` or GitLab's API: secrets, too.

    Hidden ones are left out. With --format dotenv, keys and values alone.
    """
    import json

    from shipline.cli.variable_forms import as_api, as_dotenv

    with _kept() as (_, _project, kept):
        pass
    hidden = [item.key for item in kept if item.hidden]
    shown = [item for item in kept if not item.hidden]
    if form == "json":
        click.echo(json.dumps([as_api(item) for item in shown], indent=2, ensure_ascii=False))
    else:
        click.echo("".join(as_dotenv(item) for item in shown), nl=False)
    if hidden:
        click.echo(f"Left out, since nobody is shown them any more: {', '.join(hidden)}", err=True)


@variable.command("import")
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option("--masked", is_flag=True, help="Mask those of which the file does not say.")
@click.option("--protected", is_flag=True, help="Protect those of which the file does not say.")
@click.option("--scope", default="*", show_default=True, help="For those of which the file does not say.")
def import_variables(file: Path, masked: bool, protected: bool, scope: str) -> None:
    """Set all variables of FILE (- is standard input): all, or none when one of them is not as it must be.

    FILE is JSON as `shipline variable export` and GitLab's API write it, or has lines of NAME=VALUE, or is a YAML
    or JSON mapping.
    """
    from shipline.cli.variable_forms import variables_in

    defaults = {"masked": masked, "protected": protected, "environment_scope": scope}
    new = variables_in(file, defaults)
    with _kept() as (pipelines, project, kept):
        _set(pipelines, project, kept, new)
    click.echo(f"{len(new)} {'variable' if len(new) == 1 else 'variables'} set.")


@contextlib.contextmanager
def _kept() -> Iterator[tuple[Pipelines, int, list[ProjectVariable]]]:
    """What is open, the number of this repository's project, and its variables."""
    from shipline.cli.state import opened_pipelines, opened_repository

    with opened_repository() as repository, opened_pipelines() as pipelines:
        project = pipelines.store.project(str(repository.path)).id
        yield pipelines, project, pipelines.store.variables(project)


def _set(pipelines: Pipelines, project: int, kept: list[ProjectVariable], new: list[ProjectVariable]) -> None:
    """Stores variables, all or none. One is hidden from its beginning on, or never, as at GitLab."""
    from shipline.engine.variable_rules import check

    known = {(item.key, item.environment_scope): item for item in kept}
    for item in new:
        check(item)
        before = known.get((item.key, item.environment_scope))
        if before is not None and before.hidden != item.hidden:
            raise click.UsageError(
                f"{item.key} is hidden, and stays so: set it with --hidden, or delete it first."
                if before.hidden
                else f"{item.key} is there, and only a new variable can be hidden: delete it first."
            )
    with pipelines.store.transaction():
        for item in new:
            pipelines.store.set_variable(project, item)


def _value(key: str, kind: str, from_file: Path | None, value: str | None) -> str:
    """The value as it was given. One line's end is not part of a variable that is no file."""
    import sys

    if value is not None:
        if from_file is not None:
            raise click.UsageError("--value and --file both give a value: use one of them.")
        return value
    if from_file is not None:
        text = _text(from_file.read_bytes(), str(from_file))
        return text if kind == "file" else _one_line(text)
    if sys.stdin.isatty():
        answer: str = click.prompt(f"Value of {key}", hide_input=True)
        return answer
    return _one_line(_text(sys.stdin.buffer.read(), "standard input"))


def _text(data: bytes, source: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"{source} is not UTF-8 text (byte {error.start}): a variable is text. Encode it, as base64 say."
        ) from None


def _one_line(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r") if text.count("\n") == 1 else text
