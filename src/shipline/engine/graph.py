"""The order of a pipeline's jobs: what of a job the state machine looks at, and who waits for whom.

A graph never changes while its pipeline lives; the states do (`shipline.engine.processing`).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from shipline.language.pipeline import Job, Need, When


class Node(msgspec.Struct, frozen=True):
    """One job. `needs` None: it waits for all earlier stages; otherwise for the jobs named, and only those.
    `bridge`: no runner has it, so it ends at once when it is cancelled."""

    name: str
    stage: str
    stage_index: int
    when: When = "on_success"
    needs: tuple[str, ...] | None = None
    resource_group: str | None = None
    bridge: bool = False


class Stage(msgspec.Struct):
    """The jobs of a stage; `with_needs` are those that do not wait for the stages before."""

    names: list[str] = []
    nodes: list[Node] = []
    with_needs: list[Node] = []


class Graph:
    """The jobs of one pipeline in the order in which they are looked at: by stage, then by needs. `place` is a
    job's place in it; `grouped` are the jobs that have a resource group, `bridges` those that no runner takes."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        listed = {node.name: node for node in nodes}
        self.nodes: dict[str, Node] = {node.name: node for node in _in_order(listed)}
        self.place = {name: place for place, name in enumerate(self.nodes)}
        self.stages: dict[str, Stage] = {}
        self.grouped = [node.name for node in self.nodes.values() if node.resource_group]
        self.bridges = [node.name for node in self.nodes.values() if node.bridge]
        self.needed_by: dict[str, list[str]] = {}
        for node in self.nodes.values():
            stage = self.stages.setdefault(node.stage, Stage())
            stage.names.append(node.name)
            stage.nodes.append(node)
            if node.needs is not None:
                stage.with_needs.append(node)
            for need in node.needs or ():
                self.needed_by.setdefault(need, []).append(node.name)

    def dependants(self, name: str) -> list[Node]:
        """The jobs that a new chance for `name` is a new chance for: those of later stages, and those that need
        it, directly or through others."""
        needing: set[str] = set()
        waiting = [name]
        while waiting:
            new = set(self.needed_by.get(waiting.pop(), ())) - needing
            needing |= new
            waiting.extend(new)
        stage_index = self.nodes[name].stage_index
        return [n for n in self.nodes.values() if n.stage_index > stage_index or n.name in needing]


def is_bridge(job: Job) -> bool:
    """Whether a job stands for another pipeline: one that it starts, or one whose status it mirrors."""
    return bool(job.trigger) or any(need.pipeline and not need.job for need in job.needs or ())


def graph_of(jobs: Iterable[Job]) -> Graph:
    """The graph of compiled jobs. A need of a job that does not exist (it was optional) drops out, as does a
    need of another pipeline's job, which is over already."""
    jobs = list(jobs)
    names = {job.name for job in jobs}

    def here(needs: list[Need] | None) -> tuple[str, ...] | None:
        if needs is None or any(need.pipeline and not need.job for need in needs):
            return None
        local = (n.job for n in needs if n.pipeline is None and n.project is None)
        return tuple(dict.fromkeys(name for name in local if name in names))

    return Graph(
        Node(
            name=job.name,
            stage=job.stage,
            stage_index=job.stage_index,
            when=job.when,
            needs=here(job.needs),
            resource_group=job.resource_group,
            bridge=is_bridge(job),
        )
        for job in jobs
    )


def _in_order(listed: dict[str, Node]) -> list[Node]:
    """By stage; inside one, a job after those it needs. The language has refused circles."""
    ordered: dict[str, Node] = {}
    for start in sorted(listed.values(), key=lambda node: node.stage_index):
        waiting = [start]
        while waiting:
            node = waiting[-1]
            missing = [
                listed[need]
                for need in node.needs or ()
                if need not in ordered and listed[need].stage_index >= node.stage_index
            ]
            if missing and len(waiting) <= len(listed):
                waiting.extend(missing)
            else:
                ordered[node.name] = node
                waiting.pop()
    return list(ordered.values())
