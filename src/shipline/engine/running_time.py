"""How long a pipeline ran: the time in which a job of it, or of what it triggered, was running.

Waiting for a runner, a resource, a delay or a person does not count, nor do tries that another has replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shipline.engine.records import JobRecord, PipelineRecord
from shipline.engine.states import COMPLETED, Status
from shipline.engine.store import Store

COUNTED: tuple[Status, ...] = ("success", "failed", "running", "canceled")
RESTING: frozenset[Status] = COMPLETED | {"manual"}
"""What a pipeline is whose running time is told: it changes only when somebody wants more of it."""


def running_time(store: Store, record: PipelineRecord) -> float | None:
    """Seconds of running of a pipeline that rests; None for one that is under way, or never had a running job."""
    if record.status not in RESTING or record.started_at is None:
        return None
    return together(_periods(store, record.id))


def together(periods: Iterable[tuple[float, float]]) -> float:
    """The length of the union of (start, end)."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(periods):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _periods(store: Store, pipeline_id: int) -> Iterator[tuple[float, float]]:
    for job in store.jobs(pipeline_id, all_tries=True):
        if not job.bridge:
            if job.latest and job.status in COUNTED and job.started_at is not None and job.finished_at is not None:
                yield job.started_at, job.finished_at
        elif (below := _triggered_by(store, job)) is not None:
            yield from _periods(store, below.id)


def _triggered_by(store: Store, bridge: JobRecord) -> PipelineRecord | None:
    """The pipeline that a trigger job made; not one that it only mirrors."""
    below = store.pipeline(bridge.downstream) if bridge.downstream is not None else None
    made = below is not None and below.upstream is not None and below.upstream.job_id == bridge.id
    return below if made else None
