"""What can happen to a job or a pipeline, and what it changes: events of the state machine.

Each function changes `States` in place and ends with `process`, so that states are always settled. An event
that makes no sense in a job's state raises `EngineError`, and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from shipline.engine.errors import EngineError
from shipline.engine.graph import Graph
from shipline.engine.processing import States, enqueue, process
from shipline.engine.states import CANCELABLE, COMPLETED, Status


def finish(graph: Graph, states: States, name: str, status: Status, *, cancel_others: bool = False) -> None:
    """A job ends as `success`, `failed` or `canceled`. `cancel_others`: `auto_cancel: on_job_failure: all`."""
    states.jobs[name] = status
    if cancel_others and status == "failed" and not states.allow_failure[name]:
        _cancel(graph, states, graph.nodes)
    process(graph, states)


def run(graph: Graph, states: States, name: str) -> None:
    """A runner has taken the job."""
    states.jobs[name] = "running"
    process(graph, states)


def play(graph: Graph, states: States, name: str) -> None:
    """A person starts a manual job, or a delayed one before its time; what had been skipped for want of it gets
    another chance."""
    status = states.jobs[name]
    if status not in ("manual", "scheduled"):
        raise EngineError(f"Job '{name}' is {status}: only a job that waits for a person can be started.")
    enqueue(graph.nodes[name], states)
    revive(graph, states, name)
    process(graph, states)


def due(graph: Graph, states: States, name: str) -> None:
    """The time of a delayed job has come."""
    enqueue(graph.nodes[name], states)
    process(graph, states)


def resource_free(graph: Graph, states: States, name: str) -> None:
    """The job has got the resource of its group."""
    states.jobs[name] = "pending"
    process(graph, states)


def retry(graph: Graph, states: States, name: str) -> None:
    """A new try replaces the old one; a manual or delayed job starts without waiting again."""
    status = states.jobs[name]
    if status not in COMPLETED or status == "skipped":
        raise EngineError(f"Job '{name}' is {status}: only a job that has ended can be retried.")
    states.jobs[name] = "created"
    states.start_at_once.add(name)
    revive(graph, states, name)
    process(graph, states)


def retry_pipeline(graph: Graph, states: States, kept: Collection[str] = ()) -> list[str]:
    """All that failed or was cancelled gets a new try, all that was skipped another chance; those `kept` stay as
    they are. Gives the names of the jobs that need a new try."""
    again = [name for name, status in states.jobs.items() if status in ("failed", "canceled") and name not in kept]
    for name, status in states.jobs.items():
        if status == "skipped" or name in again:
            states.jobs[name] = "created"
    process(graph, states)
    return again


def cancel(graph: Graph, states: States, names: Iterable[str]) -> None:
    """Cancels those of the jobs that are not over. One that runs is `canceling` until its runner has let go."""
    _cancel(graph, states, names)
    process(graph, states)


def follow(graph: Graph, states: States, name: str, status: Status) -> None:
    """The pipeline that a bridge stands for has this status now. When it runs again after its end, what had been
    skipped for want of the bridge gets another chance."""
    if states.jobs[name] in COMPLETED and status not in COMPLETED:
        revive(graph, states, name)
    states.jobs[name] = status
    process(graph, states)


def revive(graph: Graph, states: States, name: str) -> None:
    """What was skipped and comes after the job is `created` again."""
    for node in graph.dependants(name):
        if states.jobs[node.name] == "skipped":
            states.jobs[node.name] = "created"


def _cancel(graph: Graph, states: States, names: Iterable[str]) -> None:
    for name in names:
        status = states.jobs[name]
        if status in CANCELABLE:
            letting_go = status == "running" and not graph.nodes[name].bridge
            states.jobs[name] = "canceling" if letting_go else "canceled"
