"""Jobs as plain lines: each job's log, line by line, with the job's name before it, and what becomes of the jobs.

They read the same in a terminal, a file and another program.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from shipline.cli import texts
from shipline.cli.followed import Followed
from shipline.cli.log_text import shown
from shipline.cli.screen import own_name
from shipline.cli.widths import fitted, plain, width

if TYPE_CHECKING:
    from shipline.cli.output import Output
    from shipline.cli.screen import View
    from shipline.engine.live import Live
    from shipline.engine.records import JobRecord, PipelineRecord
    from shipline.engine.store import Store

LONGEST = 1 << 20
"""Bytes of a line that are kept until its end comes; more are written as they are."""
WIDEST = 40
"""Columns that names are filled up to; in a terminal, longer ones are cut."""
PALETTE = ("cyan", "yellow", "green", "magenta", "blue", "bright_cyan", "bright_yellow", "bright_magenta")


class LineScreen:
    """Implements `shipline.cli.screen.Screen`. With `follow`, the logs of these jobs alone."""

    every: float | None = None

    def __init__(self, output: Output, view: View, colour: bool) -> None:
        self.output = output
        self.quiet = view.quiet
        self.follow = Followed(view.follow)
        self.colour = colour
        self.name: Callable[[JobRecord], str] = own_name
        self._width = 0
        self._limit = max(8, min(WIDEST, output.size()[0] // 3)) if output.is_terminal else None
        self._prefixes: dict[str, bytes] = {}
        self._rest: dict[int, bytes] = {}
        self._told: dict[int, str] = {}

    def begin(self, live: Live) -> None:
        names = list(live.jobs)
        self._width = min(max(map(width, names), default=0), self._limit or WIDEST)
        for name in names:
            self._prefix(name)
        self.say(f"Pipeline {live.record.id}: {texts.commit(live.record)}")

    def trace(self, job: JobRecord, offset: int, data: bytes) -> None:
        """Only whole lines are written, the rest with what comes next."""
        if self.quiet or (self.follow and not self.follow.has(self.name(job), job.name)):
            return
        data = self._rest.pop(job.id, b"") + data
        lines, newline, rest = data.rpartition(b"\n")
        if len(rest) > LONGEST:
            lines, newline, rest = data, b"\n", b""
        if rest:
            self._rest[job.id] = rest
        if newline:
            self._write(self._prefix(self.name(job)), lines)

    def changed(self, record: PipelineRecord, jobs: list[JobRecord]) -> None:
        for job in jobs:
            if job.status in ("success", "failed", "canceled"):
                self._finish_line(job)
            if not self.quiet and texts.is_told(job) and self._told.get(job.id) != job.status:
                self._told[job.id] = job.status
                self._write(self._prefix(self.name(job)), texts.event(job, time.time()).encode())

    def say(self, text: str) -> None:
        import click

        self.output.write((text if self.colour else click.unstyle(text)).encode(errors="replace") + b"\n")

    def tick(self) -> None:
        """Nothing changes by itself."""

    def finish(self, live: Live, store: Store) -> None:
        from shipline.cli.summary import summary

        self.say("\n".join(summary(live, store, self.output.size()[0] if self.output.is_terminal else None)))

    def close(self) -> None:
        """The terminal is as it was."""

    def _finish_line(self, job: JobRecord) -> None:
        if (rest := self._rest.pop(job.id, b"")) and not self.quiet:
            self._write(self._prefix(self.name(job)), rest)

    def _write(self, prefix: bytes, lines: bytes) -> None:
        lines = shown(lines, self.colour)
        self.output.write(prefix + lines.replace(b"\n", b"\n" + prefix) + b"\n")

    def _prefix(self, name: str) -> bytes:
        if name not in self._prefixes:
            import click

            text = plain(name)
            if self._limit or width(text) < self._width:
                text = fitted(text, self._width)
            if self.colour:
                text = click.style(text, fg=PALETTE[len(self._prefixes) % len(PALETTE)])
            self._prefixes[name] = f"{text} | ".encode(errors="replace")
        return self._prefixes[name]
