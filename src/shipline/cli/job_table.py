"""The table that is kept up to date in a terminal: pure, from jobs and the terminal's size to lines that fit.

One line a job, by stage. Where there are more jobs than lines, those that run or failed are shown first, then those
that are about to, and a line counts the rest. Where the terminal is narrow, columns are left out, the name last.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from shipline.cli import texts
from shipline.cli.widths import cut, fitted, plain, width

if TYPE_CHECKING:
    from shipline.engine.records import JobRecord

RANK = {
    "running": 0,
    "canceling": 0,
    "failed": 1,
    "pending": 2,
    "waiting_for_resource": 2,
    "scheduled": 3,
    "manual": 4,
    "created": 5,
    "success": 6,
    "canceled": 7,
    "skipped": 8,
}
SHORT = {"waiting_for_resource": "waiting"}
STATUS = 9
DURATION = 12
STAGE = 20
NAME = 40
LEAST_OUTPUT = 20
"""Columns that must be left for a job's last line of output to be shown."""


class Row(NamedTuple):
    """A job, the end of what it has printed, and what it is called, where that is not just its name."""

    job: JobRecord
    output: str = ""
    called: str = ""

    @property
    def name(self) -> str:
        return plain(self.called or self.job.name)


class Size(NamedTuple):
    columns: int
    lines: int


def table(rows: list[Row], now: float, size: Size) -> list[str]:
    """The lines, coloured, each at most `size.columns` wide, at most `size.lines` of them."""
    if not rows or size.lines < 1:
        return []
    counts = [cut(counted([row.job for row in rows]), size.columns)]
    room = size.lines - 1
    if room < 1:
        return counts
    shown = chosen(rows, room if len(rows) <= room else max(1, room - 1))
    lines = [_line(row, now, columns) for columns in [_columns(shown, size.columns)] for row in shown]
    if len(shown) < len(rows) and room > len(shown):
        hidden = {id(row) for row in shown}
        rest = Counter(row.job.status for row in rows if id(row) not in hidden)
        lines.append(cut("and " + ", ".join(f"{n} {_word(s)}" for s, n in rest.most_common()), size.columns))
    return [*lines, *counts]


def chosen(rows: list[Row], room: int) -> list[Row]:
    """The rows that are shown, in their order; of several of a kind the first, of what is over the last."""
    if len(rows) <= room:
        return rows
    places = range(len(rows))
    over = ("success", "canceled", "skipped")

    def rank(place: int) -> tuple[int, int]:
        status = rows[place].job.status
        return RANK[status], -place if status in over else place

    return [rows[place] for place in sorted(sorted(places, key=rank)[:room])]


def counted(jobs: list[JobRecord]) -> str:
    """`12 of 40 done, 1 failed, 2 running`."""
    statuses = Counter(job.status for job in jobs)
    done = sum(statuses[status] for status in ("success", "failed", "canceled", "skipped"))
    parts = [f"{done} of {len(jobs)} done"]
    parts += [f"{statuses[s]} {_word(s)}" for s in ("failed", "running", "canceling", "manual") if statuses[s]]
    return ", ".join(parts)


class _Columns(NamedTuple):
    """How wide each column is; 0: it is left out."""

    stage: int
    name: int
    status: int
    duration: int
    output: int
    all: int


def _columns(rows: list[Row], columns: int) -> _Columns:
    stage = min(STAGE, max(width(plain(row.job.stage)) for row in rows))
    name = min(max(NAME, columns // 2), max(width(row.name) for row in rows))
    left = columns - STATUS - 2
    duration = DURATION if left - DURATION - 2 >= min(name, 16) else 0
    left -= duration + 2 if duration else 0
    with_stage = left - stage - 2 >= min(name, 16)
    left -= stage + 2 if with_stage else 0
    name = max(0, min(name, left))
    left -= name + 2
    output = left if left >= LEAST_OUTPUT else 0
    return _Columns(stage if with_stage else 0, name, STATUS, duration, output, columns)


def _line(row: Row, now: float, columns: _Columns) -> str:
    import click

    job = row.job
    cells = [fitted(plain(job.stage), columns.stage)] if columns.stage else []
    cells += [fitted(row.name, columns.name)]
    word = fitted(_word(job.status), columns.status)
    cells.append(click.style(word, fg=texts.COLOURS.get(job.status)))
    if columns.duration:
        cells.append(fitted(_time(job, now), columns.duration))
    if columns.output:
        beside = _beside(row)
        cells.append(click.style(cut(beside, columns.output), dim=True) if beside else "")
    line = "  ".join(cells).rstrip()
    if width(click.unstyle(line)) > columns.all:
        return cut(click.unstyle(line), columns.all)
    return line


def _beside(row: Row) -> str:
    job = row.job
    if job.bridge and job.downstream is not None and job.status in ("running", "success"):
        return f"pipeline {job.downstream}"
    if job.status in ("failed", "canceled"):
        return texts.outcome(job) + (" (allowed to fail)" if job.allow_failure and job.status == "failed" else "")
    return row.output if job.status in ("running", "canceling") else ""


def _time(job: JobRecord, now: float) -> str:
    if job.status == "scheduled" and job.scheduled_at is not None:
        return f"in {texts.duration(max(1.0, float(int(job.scheduled_at - now))))}"
    if job.duration is not None:
        return texts.duration(job.duration)
    if job.started_at is not None and job.finished_at is None:
        return texts.whole_seconds(now - job.started_at)
    return ""


def _word(status: str) -> str:
    return SHORT.get(status, status)
