"""What follows from the states of a pipeline's jobs: the heart of the state machine.

`process` looks at every job that is still `created`, stage by stage, and decides whether what it waits for is
done and whether it then starts, waits for a person or a time, or is skipped. Everything here is a pure change
of values: no clock, no store. The rules are GitLab's.
"""

from __future__ import annotations

import msgspec

from shipline.engine.combined import FORGIVEN, combined, combined_needs, counted_as
from shipline.engine.graph import Graph, Node
from shipline.engine.states import COMPLETED, Status

ACCEPTED: dict[str, dict[bool, frozenset[Status]]] = {
    "on_success": {False: frozenset({"success", "skipped"}), True: frozenset({"success"})},
    "manual": {False: frozenset({"success", "skipped"}), True: frozenset({"success"})},
    "delayed": {False: frozenset({"success", "skipped"}), True: frozenset({"success"})},
    "on_failure": {False: frozenset({"failed"}), True: frozenset({"failed"})},
    "always": {
        False: frozenset({"success", "failed", "skipped"}),
        True: frozenset({"success", "failed", "skipped"}),
    },
}
"""By `when`, and by whether the job has `needs`: the outcomes before it with which a job goes on."""


class States(msgspec.Struct):
    """The changing part of a pipeline. `start_at_once` names the jobs that a person has asked for while they
    were `created`: they start without being manual or delayed once more."""

    jobs: dict[str, Status]
    allow_failure: dict[str, bool]
    stages: dict[str, Status] = {}
    pipeline: Status = "created"
    start_at_once: set[str] = set()

    def copy(self) -> States:
        return States(
            dict(self.jobs), dict(self.allow_failure), dict(self.stages), self.pipeline, set(self.start_at_once)
        )

    def counted_in(self, names: list[str]) -> set[str]:
        """What jobs count as among others; whether they may fail is asked only where that makes a difference."""
        found: set[str] = set(map(self.jobs.__getitem__, names))
        return found if found.isdisjoint(FORGIVEN) else {self.counted(name) for name in names}

    def counted(self, name: str) -> str:
        return counted_as(self.jobs[name], self.allow_failure[name])


def new_states(graph: Graph, allow_failure: dict[str, bool]) -> States:
    """A pipeline whose jobs are all `created`, not yet processed."""
    return States(
        jobs=dict.fromkeys(graph.nodes, "created"),
        allow_failure=dict(allow_failure),
        stages=dict.fromkeys(graph.stages, "created"),
    )


def process(graph: Graph, states: States) -> None:
    """Brings jobs, stages and the pipeline to what follows from the jobs' states."""
    before: set[str] = set()
    for name, stage in graph.stages.items():
        members = states.counted_in(stage.names)
        if "created" in members:
            so_far = combined(before)
            for node in stage.nodes if so_far in COMPLETED else stage.with_needs:
                if states.jobs[node.name] == "created":
                    _process_job(node, states, so_far)
            members = states.counted_in(stage.names)
        _write_stage(states, name, combined(members))
        before |= members
    _write_pipeline(states, combined(before))


def _process_job(node: Node, states: States, so_far: Status) -> None:
    waits_for_stages = node.needs is None
    outcome = so_far if waits_for_stages else combined_needs(states.counted_in(list(node.needs or ())))
    if outcome not in COMPLETED:
        return
    if outcome not in ACCEPTED.get(node.when, {}).get(not waits_for_stages, frozenset()):
        states.jobs[node.name] = "skipped"
    elif node.when == "manual" and node.name not in states.start_at_once:
        states.jobs[node.name] = "manual"
    elif node.when == "delayed" and node.name not in states.start_at_once:
        states.jobs[node.name] = "scheduled"
    else:
        enqueue(node, states)


def enqueue(node: Node, states: States) -> None:
    """The job may start: it waits for a runner, or first for the one resource of its group."""
    states.jobs[node.name] = "waiting_for_resource" if node.resource_group else "pending"
    states.start_at_once.discard(node.name)


def _write_stage(states: States, stage: str, status: Status) -> None:
    if status != "created":
        states.stages[stage] = status


def _write_pipeline(states: States, status: Status) -> None:
    if status == "created":
        return
    if status == "pending" and states.pipeline in ("success", "failed", "canceled", "running"):
        status = "running"
    states.pipeline = status
