"""The state machine against a small model, under random pipelines and random events.

The model states GitLab's rules as plainly as it can: it looks at jobs one by one, last ones first, again and again
until nothing changes, where the engine makes one ordered pass with what it has summed up so far.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shipline.engine import events
from shipline.engine.errors import EngineError
from shipline.engine.graph import Graph, Node
from shipline.engine.processing import new_states, process

WHENS = ("on_success", "on_success", "on_success", "on_failure", "always", "manual", "delayed")
OVER = {"success", "failed", "canceled", "skipped"}


@st.composite
def pipelines(draw) -> tuple[list[Node], dict[str, bool]]:
    """Up to seven jobs in up to three stages; needs name earlier jobs, so that there is no circle."""
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, 7))):
        stage = draw(st.integers(0, 2))
        before = [node.name for node in nodes if node.stage_index <= stage]
        needs = draw(st.none() | st.lists(st.sampled_from(before), unique=True, max_size=3)) if before else None
        when = draw(st.sampled_from(WHENS))
        nodes.append(Node(f"job{number}", f"stage{stage}", stage, when, None if needs is None else tuple(needs)))
    allowed = {node.name: draw(st.booleans()) for node in nodes}
    return draw(st.permutations(nodes)), allowed


class Model:
    """GitLab's rules on plain dictionaries."""

    def __init__(self, nodes: list[Node], allowed: dict[str, bool]) -> None:
        self.nodes = {node.name: node for node in nodes}
        self.allowed = allowed
        self.status = dict.fromkeys(self.nodes, "created")
        self.at_once: set[str] = set()
        self.settle()

    def settle(self) -> None:
        changed = True
        while changed:
            changed = False
            for name in reversed(self.nodes):
                if self.status[name] == "created" and (new := self.decide(self.nodes[name])) is not None:
                    self.status[name] = new
                    if new == "pending":
                        self.at_once.discard(name)
                    changed = True

    def decide(self, node: Node) -> str | None:
        if node.needs is not None:
            names = list(node.needs)
        else:
            names = [other.name for other in self.nodes.values() if other.stage_index < node.stage_index]
        outcome = self.outcome(names, needs=node.needs is not None)
        if outcome is None:
            return None
        accepted = {
            "on_success": ["success"] if node.needs is not None else ["success", "skipped"],
            "on_failure": ["failed"],
            "always": ["success", "failed", "skipped"],
        }
        accepted["manual"] = accepted["delayed"] = accepted["on_success"]
        if outcome not in accepted[node.when]:
            return "skipped"
        if node.name in self.at_once:
            return "pending"
        return {"manual": "manual", "delayed": "scheduled"}.get(node.when, "pending")

    def outcome(self, names: list[str], *, needs: bool) -> str | None:
        """What the jobs came to, None while that is open."""
        optional = {n for n in names if self.allowed[n] and self.status[n] == "manual"}
        passed = {n for n in names if self.allowed[n] and self.status[n] in ("failed", "canceled")}
        strict = [self.status[n] for n in names if n not in optional | passed]
        if needs and ("skipped" in strict or optional):
            return "skipped"
        if set(strict) - OVER:
            return None
        if names and not passed and set(strict) <= {"skipped"}:
            return "skipped"
        if "failed" in strict:
            return "failed"
        return "canceled" if "canceled" in strict else "success"

    def revive(self, name: str) -> None:
        start = self.nodes[name]
        reached = {name}
        while more := {n.name for n in self.nodes.values() if set(n.needs or ()) & reached} - reached:
            reached |= more
        for node in self.nodes.values():
            later = node.stage_index > start.stage_index or (node.name in reached and node.name != name)
            if later and self.status[node.name] == "skipped":
                self.status[node.name] = "created"


class Processing(RuleBasedStateMachine):
    @initialize(made=pipelines())
    def make(self, made):
        nodes, allowed = made
        self.graph = Graph(nodes)
        self.states = new_states(self.graph, allowed)
        process(self.graph, self.states)
        self.model = Model(nodes, allowed)

    def named(self, *statuses: str) -> list[str]:
        return sorted(name for name, status in self.states.jobs.items() if status in statuses)

    @precondition(lambda self: self.named("pending", "running"))
    @rule(data=st.data(), status=st.sampled_from(["success", "failed", "canceled"]))
    def finish(self, data, status):
        name = data.draw(st.sampled_from(self.named("pending", "running")))
        events.finish(self.graph, self.states, name, status)
        self.model.status[name] = status
        self.model.settle()

    @precondition(lambda self: self.named("pending"))
    @rule(data=st.data())
    def run(self, data):
        name = data.draw(st.sampled_from(self.named("pending")))
        events.run(self.graph, self.states, name)
        self.model.status[name] = "running"

    @precondition(lambda self: self.named("manual", "scheduled"))
    @rule(data=st.data())
    def play(self, data):
        name = data.draw(st.sampled_from(self.named("manual", "scheduled")))
        events.play(self.graph, self.states, name)
        self.model.status[name] = "pending"
        self.model.at_once.discard(name)
        self.model.revive(name)
        self.model.settle()

    @precondition(lambda self: self.named("success", "failed", "canceled"))
    @rule(data=st.data())
    def retry(self, data):
        name = data.draw(st.sampled_from(self.named("success", "failed", "canceled")))
        events.retry(self.graph, self.states, name)
        self.model.status[name] = "created"
        self.model.at_once.add(name)
        self.model.revive(name)
        self.model.settle()

    @rule()
    def retry_pipeline(self):
        again = events.retry_pipeline(self.graph, self.states)
        assert set(again) == {n for n, s in self.model.status.items() if s in ("failed", "canceled")}
        for name, status in self.model.status.items():
            if status in ("failed", "canceled", "skipped"):
                self.model.status[name] = "created"
        self.model.settle()

    @precondition(lambda self: self.named("running", "pending"))
    @rule(data=st.data())
    def cancel_pipeline(self, data):
        events.cancel(self.graph, self.states, self.graph.nodes)
        for name, status in self.model.status.items():
            if status in ("created", "pending", "scheduled"):
                self.model.status[name] = "canceled"
            elif status == "running":
                self.model.status[name] = "canceling"
        for name in self.named("canceling"):
            events.finish(self.graph, self.states, name, "canceled")
            self.model.status[name] = "canceled"
        self.model.settle()

    @precondition(lambda self: self.named("skipped", "created"))
    @rule(data=st.data())
    def what_makes_no_sense_changes_nothing(self, data):
        name = data.draw(st.sampled_from(self.named("skipped", "created")))
        for event in (events.play, events.retry):
            try:
                event(self.graph, self.states, name)
            except EngineError:
                continue
            raise AssertionError(f"{event.__name__} of a job that is {self.states.jobs[name]}")

    @invariant()
    def jobs_are_as_the_model_says(self):
        assert self.states.jobs == self.model.status

    @invariant()
    def another_pass_changes_nothing(self):
        before = (dict(self.states.jobs), dict(self.states.stages), self.states.pipeline)
        process(self.graph, self.states)
        assert before == (self.states.jobs, self.states.stages, self.states.pipeline)

    @invariant()
    def the_pipeline_is_over_when_nothing_is_left_to_do(self):
        going_on = set(self.states.jobs.values()) & {"pending", "running", "scheduled"}
        if going_on:
            assert self.states.pipeline not in OVER
        elif not self.named("manual", "created"):
            assert self.states.pipeline in OVER


TestProcessing = Processing.TestCase
TestProcessing.settings = settings(max_examples=120, stateful_step_count=15, deadline=None)
