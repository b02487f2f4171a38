"""What `shipline run` shows while it runs: each job's log, line by line, with the job's name before it.

Plain lines, so that they read the same in a terminal, a file and another program. Section markers of the logs,
which are there for a web page, are left out.
"""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING

from shipline.cli import texts
from shipline.cli.failures import silence_stdout

if TYPE_CHECKING:
    from shipline.engine.records import JobRecord, PipelineRecord

_SECTION = re.compile(rb"section_(?:start|end):\d+:[^\r\n]*\r(?:\x1b\[0K)?")
_COLOUR = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")
_SHOWN = {"running", "failed", "success", "canceled", "canceling", "waiting_for_resource", "scheduled"}
LONGEST = 1 << 20
"""Bytes of a line that are kept until its end comes; more are written as they are."""
_PALETTE = ("cyan", "yellow", "green", "magenta", "blue", "bright_cyan", "bright_yellow", "bright_magenta")


class Screen:
    """Writes logs and changes to standard output. `width` is that of the longest job's name."""

    def __init__(self, names: list[str], quiet: bool = False) -> None:
        self.quiet = quiet
        self.colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        width = max((len(name) for name in names), default=0)
        self._prefixes = {name: self._prefix(name.ljust(width), place) for place, name in enumerate(names)}
        self._rest: dict[int, bytes] = {}
        self._out = sys.stdout.buffer
        self._gone = False

    def trace(self, job: JobRecord, offset: int, data: bytes) -> None:
        """Part of a job's log. Only whole lines are written, the rest with what comes next."""
        if self.quiet:
            return
        data = self._rest.pop(job.id, b"") + data
        lines, newline, rest = data.rpartition(b"\n")
        if len(rest) > LONGEST:
            lines, newline, rest = data, b"\n", b""
        if rest:
            self._rest[job.id] = rest
        if newline:
            self._write(self._prefixes[job.name], lines)

    def changed(self, record: PipelineRecord, jobs: list[JobRecord]) -> None:
        """Tells of jobs that started or ended."""
        for job in jobs:
            if job.status in ("success", "failed", "canceled"):
                self._finish_line(job)
            if not self.quiet and job.status in _SHOWN:
                self._write(self._prefixes[job.name], self._event(job).encode())

    def say(self, text: str) -> None:
        """A line of our own."""
        import click

        self._put((text if self.colour else click.unstyle(text)).encode() + b"\n")

    def _event(self, job: JobRecord) -> str:
        import click

        word = texts.status(job.status)
        if job.status == "failed" and (why := texts.outcome(job)):
            word += f": {why}"
        if job.status == "scheduled" and job.scheduled_at is not None:
            word += f": starts in {texts.duration(max(0.0, job.scheduled_at - time.time()))}"
        if job.attempt > 1 and job.status == "running":
            word += f" (try {job.attempt})"
        if job.duration is not None:
            word += f" after {texts.duration(job.duration)}"
        return word if self.colour else click.unstyle(word)

    def _finish_line(self, job: JobRecord) -> None:
        if (rest := self._rest.pop(job.id, b"")) and not self.quiet:
            self._write(self._prefixes[job.name], rest)

    def _write(self, prefix: bytes, lines: bytes) -> None:
        if b"section_" in lines:
            lines = _SECTION.sub(b"", lines)
        if not self.colour and b"\x1b" in lines:
            lines = _COLOUR.sub(b"", lines)
        self._put(prefix + lines.replace(b"\n", b"\n" + prefix) + b"\n")

    def _put(self, data: bytes) -> None:
        """When the reader goes away (`shipline run | head`, a closed terminal), the jobs go on, unseen."""
        if self._gone:
            return
        try:
            self._out.write(data)
            self._out.flush()
        except OSError:
            self._gone = True
            silence_stdout()

    def _prefix(self, name: str, place: int) -> bytes:
        import click

        text = click.style(name, fg=_PALETTE[place % len(_PALETTE)]) if self.colour else name
        return f"{text} | ".encode()
