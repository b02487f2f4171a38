"""The exit codes: 1 the pipeline failed, 2 wrong usage or invalid configuration, 3 the environment (an engine, a
cluster, a disk) is missing or broken, 70 a defect of Shipline itself, 130 interrupted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shipline.engine.live import Live

PIPELINE_FAILED = 1
USAGE = 2
ENVIRONMENT = 3
DEFECT = 70
INTERRUPTED = 130


def exit_code(live: Live) -> int:
    """0 unless a job failed that may not, or the pipeline was cancelled."""
    broken = any(job.status == "failed" and not job.allow_failure for job in live.jobs.values())
    return PIPELINE_FAILED if broken or live.record.status in ("failed", "canceled") else 0
