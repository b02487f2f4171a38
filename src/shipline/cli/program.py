"""The program `shipline`: a click group that imports a command's module when the command is asked for."""

from __future__ import annotations

import importlib
import sys

import click
from click.shell_completion import CompletionItem

from shipline import __version__
from shipline.cli.commands import COMMANDS, Row
from shipline.cli.failures import failure

ROWS: dict[str, Row] = {row.name: row for rows in COMMANDS.values() for row in rows}


class Program(click.Group):
    """Knows its commands by the table alone; completion and `--help` import none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(ROWS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = ROWS.get(cmd_name)
        if row is None:
            return None
        module, attribute = row.target.split(":")
        command: click.Command = getattr(importlib.import_module(f"shipline.cli.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in ROWS:
            from difflib import get_close_matches

            near = get_close_matches(args[0], ROWS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else " `shipline --help` lists the commands."
            raise click.UsageError(f"No command '{args[0]}'.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        commands = [CompletionItem(r.name, help=r.help) for r in ROWS.values() if r.name.startswith(incomplete)]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in ROWS)
        for title, rows in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(row.name.ljust(width), row.help) for row in rows])


@click.command(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 success, 1 the pipeline failed, 2 wrong usage or configuration, "
    "3 something outside is missing or broken (a container engine, a cluster), 130 interrupted.",
)
@click.version_option(__version__, prog_name="shipline", message="%(prog)s %(version)s")
def program() -> None:
    """Run GitLab CI/CD pipelines here, without waiting on a GitLab server.

    In a repository that has a .gitlab-ci.yml, `shipline run` runs its pipeline.
    """


def run(arguments: list[str] | None = None) -> int:
    """Runs the command line `arguments` (those of the process by default); gives the exit code."""
    _fill_gaps()
    try:
        result = program.main(arguments, prog_name="shipline", standalone_mode=False)
    except BaseException as error:
        return failure(error)
    finally:
        _flush()
    return result if isinstance(result, int) else 0


def _fill_gaps() -> None:
    """Opens what we were started without (`>&-`): else the next file that is opened would be taken for output."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    import os

    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _flush() -> None:
    """Writes out what is left, quietly when the reader of a pipe has gone (`shipline logs job | head`)."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (BrokenPipeError, ValueError):
            pass
