"""From an error to one clear message and the exit code: the one place where errors end.

A room's error type is known by its name, so that no room is imported for it.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import click

from shipline.cli.exit_codes import DEFECT, ENVIRONMENT, INTERRUPTED, USAGE

ROOM_ERRORS = {
    "language": ("LanguageError", USAGE),
    "engine": ("EngineError", USAGE),
    "runner": ("RunnerError", ENVIRONMENT),
    "cluster": ("ClusterError", ENVIRONMENT),
    "images": ("ImageError", ENVIRONMENT),
    "server": ("ServerError", ENVIRONMENT),
}


def failure(error: BaseException) -> int:
    """Prints what went wrong on standard error; gives the exit code. `SHIPLINE_DEBUG=1` adds the traceback."""
    if os.environ.get("SHIPLINE_DEBUG"):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 0
    if isinstance(error, BrokenPipeError):
        silence_stdout()
        return 0
    message, code = explain(error)
    if message:
        click.echo(message, err=True)
    return code


def explain(error: BaseException) -> tuple[str, int]:
    """The message for a person, and the exit code."""
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return "", INTERRUPTED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message(), USAGE  # nothing was asked for: the help is the answer
    if isinstance(error, click.UsageError):
        usage = error.ctx.command.get_usage(error.ctx) + "\n" if error.ctx else ""
        return f"{usage}Error: {error.format_message()}", USAGE
    if isinstance(error, click.ClickException):
        return f"Error: {error.format_message()}", error.exit_code
    for kind in type(error).__mro__:
        room = kind.__module__.split(".")[1] if kind.__module__.startswith("shipline.") else ""
        if room in ROOM_ERRORS and kind.__name__ == ROOM_ERRORS[room][0]:
            return _text(error), getattr(error, "exit_code", ROOM_ERRORS[room][1])
    if isinstance(error, OSError):
        return f"Error: {_os_error(error)}", ENVIRONMENT
    if type(error).__module__ == "sqlite3":
        return f"Error: the database in {_home()}: {error}. Is the disk full, or the file not yours?", ENVIRONMENT
    return (
        f"Error: a defect of Shipline: {type(error).__name__}: {error}\n"
        "Run the same with SHIPLINE_DEBUG=1 to see where it happened, and report it.",
        DEFECT,
    )


def _text(error: BaseException) -> str:
    findings = getattr(error, "findings", None)
    if findings is None:
        return f"Error: {error}"
    from shipline.cli.findings import one

    return "\n".join(one(finding) for finding in findings)


def _os_error(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    text = error.strerror or str(error)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"no space left{where}. Free some, or set SHIPLINE_HOME to a directory on another disk."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"{text}{where}. Shipline keeps its state in {_home()}; set SHIPLINE_HOME to change that."
        case errno.ENOENT if not error.filename and not _is_somewhere():
            return "the current directory is gone: go to another one."
        case errno.EADDRINUSE:
            return f"{text}{where}: another program listens on that port."
        case _:
            return f"{text}{where}"


def _is_somewhere() -> bool:
    try:
        return Path.cwd().is_dir()
    except OSError:
        return False


def _home() -> str:
    return os.environ.get("SHIPLINE_HOME") or "~/.local/state/shipline"


def silence_stdout() -> None:
    """Nobody reads any more: what Python flushes at exit must not fail a second time."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
