"""The view in a terminal: a table of the jobs that is written over in place, with the logs that are followed above.

Nothing of the terminal's settings is changed and the cursor stays visible, so there is nothing to restore, however
the process ends: the cursor always rests in the first column below the table. A frame is one write, begun by going
up to the table's first line; lines are written over, not cleared first, so nothing flickers. No line reaches the
last column. When the terminal gets narrower, the lines on it are taken to have been wrapped, as most terminals do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from shipline.cli import texts
from shipline.cli.followed import Followed
from shipline.cli.job_table import Row, Size, table
from shipline.cli.log_text import readable, shown
from shipline.cli.screen import own_name
from shipline.cli.widths import cut, fitted, plain, width

if TYPE_CHECKING:
    from shipline.cli.output import Output
    from shipline.engine.live import Live
    from shipline.engine.records import JobRecord, PipelineRecord
    from shipline.engine.store import Store

UP, ERASE_LINE, ERASE_BELOW = "\x1b[{}A", "\x1b[K", "\x1b[J"
# terminals that know this show a frame at once; others take no notice
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
TAIL = 600
"""Bytes of a job's output that its last line is taken from."""
HELD = 1 << 16
"""Bytes of followed logs that may wait for the next frame."""
OVER = ("success", "failed", "canceled", "skipped")


class LiveScreen:
    """Implements `shipline.cli.screen.Screen`."""

    every: float | None = 0.1

    def __init__(self, output: Output, follow: tuple[str, ...], colour: bool) -> None:
        self.output = output
        self.follow = Followed(follow)
        self.colour = colour
        self.name: Callable[[JobRecord], str] = own_name
        self._head = ""
        self._jobs: dict[tuple[int, str], JobRecord] = {}
        self._tails: dict[int, bytes] = {}
        self._rest: dict[int, bytes] = {}
        self._above: list[bytes] = []
        self._drawn: list[int] = []  # how wide the lines are that are on the terminal
        self._columns = 0
        self._last: list[str] = []
        self._changed = False
        self._moment = (0, 0, 0)

    def begin(self, live: Live) -> None:
        self._head = f"Pipeline {live.record.id}: {texts.commit(live.record)}"
        for name in live.graph.nodes:
            self._jobs[live.record.id, name] = live.jobs[name]
        active = [job.name for job in live.jobs.values() if job.status not in (*OVER, "manual")]
        if len(live.jobs) == 1 or len(active) == 1:
            self.follow.add(active)  # there is nothing else to look at
        self._changed = True
        self.tick()

    def trace(self, job: JobRecord, offset: int, data: bytes) -> None:
        self._tails[job.id] = (self._tails.get(job.id, b"") + data[-TAIL:])[-TAIL:]
        self._changed = True
        if not self.follow.has(self.name(job), job.name):
            return
        lines, newline, rest = (self._rest.pop(job.id, b"") + data).rpartition(b"\n")
        if rest:
            self._rest[job.id] = rest
        if newline:
            self._follow(job, lines)

    def changed(self, record: PipelineRecord, jobs: list[JobRecord]) -> None:
        for job in jobs:
            self._jobs[record.id, job.name] = job
            if job.finished_at is not None and (rest := self._rest.pop(job.id, b"")):
                self._follow(job, rest)
            if job.status in OVER:
                self._tails.pop(job.id, None)
        self._changed = True

    def say(self, text: str) -> None:
        self._above.append(self._text(text).encode(errors="replace") + b"\n")
        if self._head:
            self._draw()
        else:
            self._flush()

    def tick(self) -> None:
        """Draws what has changed: durations do once a second, and the terminal may have another size."""
        self._draw()

    def finish(self, live: Live, store: Store) -> None:
        from shipline.cli.summary import summary

        self.close()
        self.output.write(self._text("\n".join(summary(live, store, self.output.size()[0]))).encode() + b"\n")

    def close(self) -> None:
        """Takes the table away; followed logs stay."""
        self.output.write(self._back(self.output.size()[0]) + ERASE_BELOW.encode() if self._drawn else b"")
        self._drawn, self._last, self._head = [], [], ""
        self._flush()

    def _flush(self) -> None:
        if self._above:
            self.output.write(b"".join(self._above))
            self._above.clear()

    def _follow(self, job: JobRecord, lines: bytes) -> None:
        lines = shown(lines, self.colour)
        if self.follow.several():
            prefix = f"{plain(self.name(job))} | ".encode(errors="replace")
            lines = prefix + lines.replace(b"\n", b"\n" + prefix)
        self._above.append(lines + b"\n")
        if sum(map(len, self._above)) > HELD:
            self._draw()

    def _draw(self) -> None:
        if not self._head:
            return
        columns, height = self.output.size()
        moment = (int(time.time()), columns, height)
        if moment == self._moment and not (self._changed or self._above):
            return
        self._moment, self._changed = moment, False
        lines = self._lines(columns, height)
        if lines == self._last and columns == self._columns and not self._above:
            return
        frame = [BEGIN.encode(), self._back(columns)]
        if self._above:
            frame += [ERASE_BELOW.encode(), *self._above]
            self._above.clear()
        text = "".join(self._text(line) + ERASE_LINE + "\n" for line in lines)
        frame += [text.encode(errors="replace"), ERASE_BELOW.encode(), END.encode()]
        self._drawn = [_visible(line) for line in lines]
        self._last, self._columns = lines, columns
        self.output.write(b"".join(frame))

    def _back(self, columns: int) -> bytes:
        """To the first column of the table's first line."""
        rows = len(self._drawn)
        if columns < self._columns:
            rows = sum(max(1, -(-each // columns)) for each in self._drawn)
        return UP.format(rows).encode() if rows else b""

    def _lines(self, columns: int, height: int) -> list[str]:
        now = time.time()
        room = max(1, columns - 1)
        rows = [Row(job, self._output(job), self.name(job)) for job in self._jobs.values()]
        most = height - 1
        if most < 3:
            return table(rows, now, Size(room, max(1, most)))
        return [self._title(room), *table(rows, now, Size(room, most - 1))]

    def _title(self, room: int) -> str:
        hint = "logs: shipline logs -f JOB"
        if not self.follow and width(self._head) + len(hint) + 3 <= room:
            import click

            return fitted(self._head, room - len(hint)) + click.style(hint, dim=True)
        return cut(self._head, room)

    def _output(self, job: JobRecord) -> str:
        """The last line that a job has printed."""
        tail = (self._rest if self.follow.has(self.name(job), job.name) else self._tails).get(job.id)
        if not tail or job.status not in ("running", "canceling"):
            return ""
        lines = readable(tail[-TAIL:]).rstrip().rsplit("\n", 1)
        return plain(lines[-1].expandtabs(1)).strip()

    def _text(self, text: str) -> str:
        import click

        return text if self.colour else click.unstyle(text)


def _visible(line: str) -> int:
    import click

    return width(click.unstyle(line))
