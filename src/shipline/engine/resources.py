"""Which job gets the one resource of its group: the process modes of resource groups, by GitLab's rules.

`unordered`: whichever waits. `oldest_first`, `newest_first`: the pipelines take turns in their order, and one whose
job has not come so far yet keeps the others waiting. `newest_ready_first`: the newest pipeline of those that wait.
Inside one pipeline no order is kept, so that jobs which need each other cannot wait for each other for ever.
"""

from __future__ import annotations

from shipline.engine import events
from shipline.engine.errors import EngineError
from shipline.engine.live import Change
from shipline.engine.possessions import ProcessMode, ResourceGroup
from shipline.engine.records import JobRecord
from shipline.engine.states import HOLDING, UPCOMING
from shipline.engine.store import Store

MODES: tuple[ProcessMode, ...] = ("unordered", "oldest_first", "newest_first", "newest_ready_first")


def give(store: Store, change: Change) -> None:
    """Of the jobs that wait for a resource which nobody in the project has, the next one gets it."""
    for name in change.graph.grouped:
        group = change.graph.nodes[name].resource_group
        if group is None or change.states.jobs[name] != "waiting_for_resource":
            continue
        if not _taken(store, change, group) and _is_next(store, change, group):
            events.resource_free(change.graph, change.states, name)


def _own(change: Change, group: str) -> list[str]:
    return [name for name in change.graph.grouped if change.graph.nodes[name].resource_group == group]


def _taken(store: Store, change: Change, group: str) -> bool:
    if any(change.states.jobs[name] in HOLDING for name in _own(change, group)):
        return True
    holders = store.resource_holders(change.live.record.project_id, group)
    return any(job.pipeline_id != change.live.record.id for job in holders)


def _is_next(store: Store, change: Change, group: str) -> bool:
    """Whether the group's order lets a job of this pipeline go first. The pipeline itself is being changed."""
    project_id, pipeline_id = change.live.record.project_id, change.live.record.id
    known = store.possession(project_id, ResourceGroup, group)
    if known is None:
        now = change.now
        store.possess(project_id, ResourceGroup(group, created_at=now, updated_at=now))
    if known is None or known.process_mode == "unordered":
        return True
    others = [job for job in store.waiting_for_resource(project_id, group) if job.pipeline_id != pipeline_id]
    if known.process_mode == "newest_ready_first":
        return not any(job.pipeline_id > pipeline_id for job in others if job.status == "waiting_for_resource")
    sign = 1 if known.process_mode == "oldest_first" else -1
    return not any(job.pipeline_id * sign < pipeline_id * sign for job in others)


def upcoming(store: Store, project_id: int, key: str) -> list[JobRecord]:
    """The jobs that want a group's resource, the next first."""
    mode = resource_group(store, project_id, key).process_mode
    jobs = [job for job in store.waiting_for_resource(project_id, key) if job.status in UPCOMING]
    if mode in ("unordered", "newest_ready_first"):
        jobs = [job for job in jobs if job.status == "waiting_for_resource"]
    sign = -1 if mode.startswith("newest") else 1
    return sorted(jobs, key=lambda job: (sign * job.pipeline_id, job.status != "waiting_for_resource", job.id))


def resource_group(store: Store, project_id: int, key: str) -> ResourceGroup:
    """The group of that key. Raises EngineError when no job has named it yet."""
    found = store.possession(project_id, ResourceGroup, key)
    if found is None:
        names = ", ".join(group.key for group in store.possessions(project_id, ResourceGroup))
        raise EngineError(f"No job has named a resource group '{key}' yet. Known: {names or 'none'}.")
    return found


def set_mode(store: Store, project_id: int, key: str, mode: ProcessMode, now: float) -> ResourceGroup:
    """Says in which order the group's jobs run. A group that no job has named yet is made."""
    known = store.possession(project_id, ResourceGroup, key)
    changed = ResourceGroup(key, mode, known.created_at if known else now, now)
    store.possess(project_id, changed)
    return changed
