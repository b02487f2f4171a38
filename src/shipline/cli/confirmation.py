"""What the authors of a manual job want to be asked before it starts (`manual_confirmation`)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from shipline.language.pipeline import Job


def confirm(jobs: list[Job], yes: bool) -> None:
    """Asks about each of the jobs. Raises click.UsageError where nobody can answer, click.Abort for a no."""
    if yes:
        return
    for job in jobs:
        if not sys.stdin.isatty():
            raise click.UsageError(f"Job '{job.name}' asks: {job.manual_confirmation} Say --yes.")
        click.confirm(f"{job.name}: {job.manual_confirmation}", abort=True)
