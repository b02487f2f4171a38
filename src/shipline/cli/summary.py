"""What a person reads at the end: first what failed and why, then what waits for them, then all jobs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shipline.cli import texts

if TYPE_CHECKING:
    from shipline.engine.live import Live
    from shipline.engine.records import JobRecord
    from shipline.engine.store import Store

LAST_LINES = 12
WIDTH = 100
_SCRIPT = re.compile(rb"section_start:\d+:step_script\r[^\n]*\n")
_NOISE = re.compile(r"section_(?:start|end):\d+:[^\r\n]*\r|\x1b\[[0-9;]*[A-Za-z]")


def summary(live: Live, store: Store) -> list[str]:
    """The lines of the summary."""
    record, jobs = live.record, [live.jobs[name] for name in live.graph.nodes]
    head = f"Pipeline {record.id} {texts.status(record.status)}"
    if record.started_at and record.finished_at:
        head += f" after {texts.duration(record.finished_at - record.started_at)}"
    lines = ["", f"{head}: {texts.commit(record)}"]
    for job in jobs:
        if job.status == "failed":
            lines += ["", *_failure(job, store)]
    lines += ["", *table(live)]
    if waiting := [job for job in jobs if job.status == "manual"]:
        lines += ["", "Waiting for you:"]
        lines += [f"  shipline play {_quoted(job.name)} --pipeline {record.id}" for job in waiting]
    return lines


def table(live: Live) -> list[str]:
    """One line a job, by stage."""
    jobs = [live.jobs[name] for name in live.graph.nodes]
    stage = max((len(job.stage) for job in jobs), default=0)
    name = max((len(job.name) for job in jobs), default=0)
    lines = []
    for job in jobs:
        line = f"  {job.stage.ljust(stage)}  {job.name.ljust(name)}  {texts.status(job.status, 9)}"
        line += f"  {texts.duration(job.duration)}"
        if job.coverage is not None:
            line += f"  coverage {job.coverage:g} %"
        if job.status == "failed":
            line += "  (allowed to fail)" if job.allow_failure else f"  {texts.outcome(job)}"
        lines.append(line.rstrip())
    return lines


def _failure(job: JobRecord, store: Store) -> list[str]:
    allowed = " (allowed to fail)" if job.allow_failure else ""
    from shipline.doctor import diagnose

    lines = [f"{job.name} {texts.status('failed')}{allowed}: {texts.outcome(job)}"]
    trace = store.read_trace(job.id)
    text = readable(trace)
    lines += [f"  | {line}" for line in readable(_from_script(trace)).splitlines()[-LAST_LINES:]]
    for diagnosis in diagnose(text):
        lines += ["", *_wrapped("Cause: ", diagnosis.cause), *_wrapped("Remedy: ", diagnosis.remedy)]
    lines.append(f"  The whole log: shipline logs {job.id}")
    return lines


def _from_script(trace: bytes) -> bytes:
    """The log from where the job's script begins, without the title; all of it where the script never began."""
    return trace[match.end() :] if (match := _SCRIPT.search(trace)) else trace


def readable(trace: bytes) -> str:
    """A log without section markers and colours."""
    return _NOISE.sub("", trace.decode("utf-8", errors="replace"))


def _wrapped(label: str, text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, WIDTH, initial_indent=f"  {label}", subsequent_indent=" " * (2 + len(label)))


def _quoted(name: str) -> str:
    import shlex

    return shlex.quote(name)
