"""The published cases of GitLab's state machine: each plays events on a pipeline and compares every status."""

import json
from pathlib import Path

import pytest

from shipline.engine import events
from shipline.engine.graph import Graph, Node
from shipline.engine.processing import States, enqueue, new_states, process

DATA = Path(__file__).with_name("data")
CASES = [
    json.loads(line) for name in ("processing.jsonl", "processing_more.jsonl") for line in (DATA / name).open()
]
DEFAULT_STAGES = [".pre", "build", "test", "deploy", ".post"]


def graph_and_states(config: dict) -> tuple[Graph, States]:
    """The cases' own small dialect of GitLab's language."""
    stages = config.get("stages", DEFAULT_STAGES)
    jobs = {name: job for name, job in config.items() if name not in ("stages", "workflow")}

    def node(name: str, job: dict) -> Node:
        needs = job.get("needs")
        if needs is not None:
            named = [need if isinstance(need, str) else need["job"] for need in needs]
            needs = tuple(need for need in named if need in jobs)
        stage = job.get("stage", "test")
        return Node(name, stage, stages.index(stage), job.get("when", "on_success"), needs)

    graph = Graph(node(name, job) for name, job in jobs.items())
    allowed = {name: job.get("allow_failure", job.get("when") == "manual") for name, job in jobs.items()}
    return graph, new_states(graph, allowed)


def play_event(graph: Graph, states: States, event: str, name: str, cancel_others: bool) -> None:
    match event:
        case "success" | "cancel":
            events.finish(graph, states, name, "success" if event == "success" else "canceled")
        case "drop":
            events.finish(graph, states, name, "failed", cancel_others=cancel_others)
        case "run":
            events.run(graph, states, name)
        case "play":
            events.play(graph, states, name)
        case "retry":
            events.retry(graph, states, name)
        case "enqueue":
            enqueue(graph.nodes[name], states)
            process(graph, states)
        case _:
            raise AssertionError(event)


def seen(states: States) -> dict:
    return {"pipeline": states.pipeline, "stages": states.stages, "jobs": states.jobs}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case(case):
    graph, states = graph_and_states(case["config"])
    cancel_others = case["config"].get("workflow", {}).get("auto_cancel", {}).get("on_job_failure") == "all"
    process(graph, states)
    assert seen(states) == case["init"]
    for step in case["steps"]:
        if step["jobs"] is None:
            assert step["event"] == "retry"
            events.retry_pipeline(graph, states)
        else:
            for name in step["jobs"]:
                play_event(graph, states, step["event"], name, cancel_others)
        assert seen(states) == step["expect"], step
