"""Which older pipelines of a branch a new commit makes redundant: `interruptible` and `workflow: auto_cancel`."""

from __future__ import annotations

from shipline.engine.live import Live
from shipline.engine.records import JobRecord, PipelineRecord
from shipline.engine.states import CANCELABLE, Status

STARTED: tuple[Status, ...] = ("running", "success", "failed")
"""What a job is that has begun, and was not cancelled."""


def is_older(old: PipelineRecord, new: PipelineRecord) -> bool:
    """Whether one pipeline is for an earlier commit of the same branch as the other, and still under way."""
    return (
        old.id < new.id
        and old.status in CANCELABLE
        and old.project_id == new.project_id
        and old.ref == new.ref
        and old.commit.sha != new.commit.sha
        and not (old.commit.is_tag or new.commit.is_tag)
    )


def redundant_jobs(live: Live) -> list[str]:
    """The jobs of an older pipeline that are cancelled when a newer commit comes.

    `conservative` (the default): all of them, unless one that is not interruptible has started. `interruptible`:
    those that are, whatever else has started. `none`: none.
    """
    kind = live.compiled.auto_cancel.get("on_new_commit", "conservative")
    jobs = [job for job in live.jobs.values() if job.status in CANCELABLE]
    if kind == "interruptible":
        return [job.name for job in jobs if live.definitions[job.name].interruptible]
    if kind == "none" or any(_holds(live, job) for job in live.jobs.values()):
        return []
    return [job.name for job in jobs]


def _holds(live: Live, job: JobRecord) -> bool:
    return job.status in STARTED and not job.bridge and not live.definitions[job.name].interruptible
