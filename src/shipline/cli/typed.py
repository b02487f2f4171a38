"""A secret that a person types, without its being shown, or that comes through a pipe."""

from __future__ import annotations

import sys

import click


def secret(name: str, twice: bool = False) -> str:
    """What is typed (`twice`: two times the same), else the first line of standard input. Raises click.UsageError
    for nothing."""
    if sys.stdin.isatty():
        typed: str = click.prompt(name, hide_input=True, confirmation_prompt=twice, err=True)
        return typed
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise click.UsageError(f"{name}: nothing came on standard input.")
    return line
