"""Jobs for programs: one JSON object a line, each with the member `event`; the last is the summary.

`pipeline` (it begins), `job` (one has another status), `log` (a whole line of a job's log), `message` (a line for
people), `summary`. Times are seconds since 1970. docs/running.md lists the members.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from shipline.cli.log_text import readable
from shipline.cli.screen import own_name

if TYPE_CHECKING:
    from shipline.cli.output import Output
    from shipline.engine.live import Live
    from shipline.engine.records import JobRecord, PipelineRecord
    from shipline.engine.store import Store

LONGEST = 1 << 20


class EventScreen:
    """Implements `shipline.cli.screen.Screen`."""

    every: float | None = None

    def __init__(self, output: Output) -> None:
        self.output = output
        self.name: Callable[[JobRecord], str] = own_name
        self._rest: dict[int, bytes] = {}
        self._known: set[int] = set()
        self._told: dict[int, dict[str, Any]] = {}

    def begin(self, live: Live) -> None:
        self._known.add(live.record.id)
        self._tell("pipeline", **pipeline_data(live.record), jobs=[job_data(job) for job in live.jobs.values()])

    def trace(self, job: JobRecord, offset: int, data: bytes) -> None:
        lines, newline, rest = (self._rest.pop(job.id, b"") + data).rpartition(b"\n")
        if len(rest) > LONGEST:
            lines, newline, rest = lines + newline + rest, b"\n", b""
        if rest:
            self._rest[job.id] = rest
        if newline:
            self._log(job, lines)

    def changed(self, record: PipelineRecord, jobs: list[JobRecord]) -> None:
        if record.id not in self._known:
            self._known.add(record.id)
            self._tell("pipeline", **pipeline_data(record), jobs=[job_data(job) for job in jobs])
        for job in jobs:
            if job.finished_at is not None and (rest := self._rest.pop(job.id, b"")):
                self._log(job, rest)
            if self._told.get(job.id) != (data := job_data(job)):
                self._told[job.id] = data
                self._tell("job", pipeline=record.id, **data)

    def say(self, text: str) -> None:
        import click

        self._tell("message", text=click.unstyle(text))

    def tick(self) -> None:
        """Nothing changes by itself."""

    def finish(self, live: Live, store: Store) -> None:
        from shipline.cli.exit_codes import exit_code
        from shipline.cli.hierarchy import together
        from shipline.cli.script_log import last_lines
        from shipline.engine.running_time import running_time

        def whole(each: Live) -> dict[str, Any]:
            jobs = []
            for job in each.jobs.values():
                data = job_data(job)
                if job.status == "failed":
                    data["last_lines"] = last_lines(store, job.id)
                jobs.append(data)
            return {**pipeline_data(each.record, running_time(store, each.record)), "jobs": jobs}

        first, *others = [whole(each) for each in together(live, store)]
        self._tell("summary", **first, exit_code=exit_code(live), downstream=others)

    def close(self) -> None:
        """Every line was written as it came."""

    def _log(self, job: JobRecord, lines: bytes) -> None:
        now = time.time()
        about = {"event": "log", "time": now, "pipeline": job.pipeline_id, "job": job.name, "id": job.id}
        encode = msgspec.json.encode
        self.output.write(b"".join(encode(about | {"text": line}) + b"\n" for line in readable(lines).split("\n")))

    def _tell(self, event: str, **members: Any) -> None:
        line = msgspec.json.encode({"event": event, "time": time.time(), **members})
        self.output.write(line + b"\n")


def pipeline_data(record: PipelineRecord, duration: float | None = None) -> dict[str, Any]:
    """A pipeline as programs see it. `duration`: how long it ran, once that is known."""
    return {
        "id": record.id,
        "status": record.status,
        "source": record.source,
        "ref": record.commit.ref,
        "tag": record.commit.is_tag,
        "sha": record.commit.sha,
        "duration": duration,
        "upstream": record.upstream.pipeline_id if record.upstream else None,
    }


def job_data(job: JobRecord) -> dict[str, Any]:
    """A job as programs see it."""
    return {
        "job": job.name,
        "id": job.id,
        "stage": job.stage,
        "status": job.status,
        "attempt": job.attempt,
        "allow_failure": job.allow_failure,
        "failure_reason": job.failure_reason,
        "exit_code": job.exit_code,
        "duration": job.duration,
        "coverage": job.coverage,
        "reports": msgspec.to_builtins(job.reports),
        "downstream": job.downstream,
    }
