"""The states of jobs, stages and pipelines, named as GitLab names them, and the sets that rules speak of."""

from __future__ import annotations

from typing import Literal

Status = Literal[
    "created",
    "waiting_for_resource",
    "pending",
    "running",
    "manual",
    "scheduled",
    "success",
    "failed",
    "canceling",
    "canceled",
    "skipped",
]

COMPLETED: frozenset[Status] = frozenset({"success", "failed", "canceled", "skipped"})
"""Nothing more happens to a job by itself."""

ACTIVE: frozenset[Status] = frozenset({"waiting_for_resource", "pending", "running", "canceling"})
"""A runner has the job, or may take it: the pipeline is busy."""

GOING: frozenset[Status] = ACTIVE | {"scheduled"}
"""Something happens to a pipeline that has such a job without anybody doing anything."""

HOLDING: frozenset[Status] = frozenset({"pending", "running", "canceling"})
"""A job of a resource group that has its resource."""

CANCELABLE: frozenset[Status] = frozenset({"created", "waiting_for_resource", "pending", "running", "scheduled"})
"""What cancelling changes. A manual job that waits is left waiting, as GitLab leaves it."""

UPCOMING: frozenset[Status] = frozenset({"created", "scheduled", "waiting_for_resource"})
"""A job of a resource group that does not have its resource yet, and will want it."""
