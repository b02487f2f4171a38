"""What a person reads at the end: first what failed and why, then what waits for them, then all jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipline.cli import texts
from shipline.cli.kept import sites
from shipline.cli.report_lines import report_lines
from shipline.cli.script_log import End
from shipline.cli.widths import cut, fitted, plain, width

if TYPE_CHECKING:
    from shipline.engine.live import Live
    from shipline.engine.records import JobRecord
    from shipline.engine.store import Store

WIDTH = 100
IN_FULL = 10
"""Failed jobs that are told in full; of more, the names."""
IN_TABLE = 25
"""Jobs of which a terminal gets the whole table; of more, those that did not go well."""
NAME = 60
LONGEST = 400
"""Characters of a log's line that are shown."""


def summary(live: Live, store: Store, columns: int | None = None, whole: bool = False) -> list[str]:
    """The lines of the summary, with those of all that the pipeline has triggered, for a terminal of so many
    columns; None: it goes elsewhere. `whole`: with everything, however much that is."""
    from shipline.cli.hierarchy import Names, together
    from shipline.engine.running_time import running_time

    record, names = live.record, Names(store)
    jobs = [each.jobs[name] for each in together(live, store) for name in each.graph.nodes]
    head = f"Pipeline {record.id} {texts.status(record.status)}"
    if (ran := running_time(store, record)) is not None:
        head += f" after {texts.duration(ran)}"
    lines = ["", f"{head}: {texts.commit(record)}"]
    failed = [job for job in jobs if job.status == "failed" and not (job.bridge and job.downstream)]
    told = sorted(failed, key=lambda job: job.allow_failure)[: None if whole else IN_FULL]
    for job in told:
        lines += ["", *_failure(job, names.of(job), store, columns)]
    if others := [plain(names.of(job)) for job in failed if job not in told]:
        lines += ["", f"And {len(others)} more failed: {', '.join(others)}"]
    short = columns and len(jobs) > IN_TABLE and not whole
    lines += ["", *(_short_table(live, store, columns or 0) if short else table(live, store, columns))]
    lines += report_lines([(names.of(job), job.reports) for job in jobs if job.reports], columns)
    if waiting := [job for job in jobs if job.status == "manual" and job.downstream is None]:
        lines += ["", "Waiting for you:"]
        lines += [f"  shipline play {_quoted(job.name)} --pipeline {job.pipeline_id}" for job in waiting]
    return lines


def _short_table(live: Live, store: Store, columns: int) -> list[str]:
    """So that what failed is not scrolled away by what went well."""
    from collections import Counter

    statuses = (job.status for job, _ in _rows(live, store))
    well = Counter(status for status in statuses if status in ("success", "skipped", "created"))
    lines = table(live, store, columns, without=tuple(well))
    counts = ", ".join(f"{count} {status}" for status, count in well.most_common())
    return [*lines, f"  {counts} (all: shipline status {live.record.id})"] if counts else lines


def _rows(live: Live, store: Store, depth: int = 0) -> list[tuple[JobRecord, str]]:
    """The jobs by stage, those of a triggered pipeline below their trigger job, each with its name, indented."""
    from shipline.cli.hierarchy import downstream

    below = {job.name: triggered for job, triggered in downstream(live, store)}
    rows = []
    for name in live.graph.nodes:
        rows.append((live.jobs[name], "  " * depth + plain(name)))
        if name in below:
            rows += _rows(below[name], store, depth + 1)
    return rows


def table(live: Live, store: Store, columns: int | None = None, without: tuple[str, ...] = ()) -> list[str]:
    """One line a job, by stage; `without` those that have one of these statuses."""
    rows = [row for row in _rows(live, store) if row[0].status not in without]
    stage = max((width(plain(job.stage)) for job, _ in rows), default=0)
    longest = max((width(called) for _, called in rows), default=0)
    if columns is None:
        name = longest
    else:
        stage = min(stage, columns // 4) if columns >= 40 else 0
        name = min(longest, NAME, max(8, columns - stage - 24))
    lines = []
    for job, called in rows:
        line = f"  {fitted(plain(job.stage), stage)}" if stage else ""
        line += f"  {fitted(called, name)}  {texts.status(job.status, 9)}"
        line += f"  {texts.duration(job.duration)}"
        if job.coverage is not None:
            line += f"  coverage {job.coverage:g} %"
        if job.bridge and job.downstream is not None and job.status != "failed":
            line += f"  pipeline {job.downstream}"
        if job.status == "failed":
            line += "  (allowed to fail)" if job.allow_failure else f"  {texts.outcome(job)}"
        lines.append(line.rstrip())
    return lines


def _failure(job: JobRecord, called: str, store: Store, columns: int | None) -> list[str]:
    allowed = " (allowed to fail)" if job.allow_failure else ""
    from shipline.doctor import diagnose

    lines = [f"{plain(called)} {texts.status('failed')}{allowed}: {texts.outcome(job)}"]
    end = End(store, job.id)
    room = LONGEST if columns is None else max(20, columns) * 3
    lines += [f"  | {cut(line.expandtabs(8), room)}" for line in end.lines()]
    if end.is_cut:
        lines.append("  (The log is longer than what is kept: output_limit in the runner's configuration.)")
    for diagnosis in diagnose(end.text()):
        label = min(WIDTH, columns or WIDTH)
        lines += [
            "",
            *_wrapped("Cause: ", diagnosis.cause, label),
            *_wrapped("Remedy: ", diagnosis.remedy, label),
        ]
    known = sites()
    if known is not None and (site := known.get(job.id)) is not None and site.kept_at is not None:
        lines.append(
            f"  It is kept: shipline shell {job.id} opens a shell in it, shipline cleanup {job.id} removes it"
        )
    lines.append(f"  The whole log: shipline logs {job.id}")
    lines.append(f"  To run it again: shipline retry {_quoted(job.name)} --pipeline {job.pipeline_id}")
    return lines


def _wrapped(label: str, text: str, columns: int) -> list[str]:
    import textwrap

    indent = 2 + len(label) if columns >= 40 else 2
    return textwrap.wrap(text, columns, initial_indent=f"  {label}", subsequent_indent=" " * indent)


def _quoted(name: str) -> str:
    import shlex

    return shlex.quote(name)
