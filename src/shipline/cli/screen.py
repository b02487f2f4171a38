"""What `shipline run` shows while it runs: the interface of the three ways (`screens` chooses one).

In a terminal a table of the jobs is kept up to date in place (`live_screen`); elsewhere, and where it is asked for,
each job's log comes line by line with the job's name before it (`line_screen`); programs get one JSON object a line
(`event_screen`).

Life cycle: `begin` once; then `trace`, `changed`, `say` and `tick` in any order, all from one thread; `finish` when
the jobs are done; `close` always, at last, however the command ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from shipline.cli.output import Output
    from shipline.engine.live import Live
    from shipline.engine.records import JobRecord, PipelineRecord
    from shipline.engine.store import Store


class View(NamedTuple):
    """How a command is to show jobs. `follow`: the jobs whose logs are shown beside the table; `logs`: the logs of
    all jobs, line by line, and no table."""

    quiet: bool = False
    logs: bool = False
    json: bool = False
    follow: tuple[str, ...] = ()


class Screen(Protocol):
    output: Output
    every: float | None
    """Seconds between two calls of `tick`; None: it is not needed."""

    name: Callable[[JobRecord], str]
    """What a job is called; those of triggered pipelines have longer names (`shipline.cli.hierarchy`)."""

    def begin(self, live: Live) -> None:
        """A pipeline is about to run."""

    def trace(self, job: JobRecord, offset: int, data: bytes) -> None:
        """Part of a job's log."""

    def changed(self, record: PipelineRecord, jobs: list[JobRecord]) -> None:
        """Jobs of a pipeline have another status."""

    def say(self, text: str) -> None:
        """A line of our own."""

    def tick(self) -> None:
        """Time has passed."""

    def finish(self, live: Live, store: Store) -> None:
        """The summary: nothing is left to do."""

    def close(self) -> None:
        """Leaves the terminal as it was."""


def own_name(job: JobRecord) -> str:
    """What a job is called where there is one pipeline only."""
    return job.name
