"""Whatever happens to a parent and its children, in any order: their states agree."""

import asyncio

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.engine.examples import create, job
from tests.engine.test_hierarchy import World, trigger

from shipline.engine.bridges import pending, start
from shipline.engine.errors import EngineError
from shipline.engine.hierarchy import family, followed
from shipline.engine.memory_store import MemoryStore
from shipline.engine.pipelines import Pipelines
from shipline.engine.states import COMPLETED

OVER = ("success", "failed", "canceled", "skipped")


class Hierarchy(RuleBasedStateMachine):
    @initialize(
        strategy=st.sampled_from([None, "depend", "mirror"]), when=st.sampled_from(["on_success", "manual"])
    )
    def begin(self, strategy, when):
        self.strategy = strategy
        self.pipelines = Pipelines(MemoryStore())
        self.world = World(self.pipelines, job("first", "a", when=when), job("second", "b"))
        self.top = create(self.pipelines, trigger("child", "a", strategy), job("beside", "a"), job("after", "b"))

    def jobs(self):
        return [job for n in family(self.pipelines, self.top) for job in self.pipelines.store.jobs(n)]

    @rule()
    def trigger_jobs_are_started(self):
        for number in family(self.pipelines, self.top):
            for bridge in pending(self.pipelines.live(number)):
                asyncio.run(start(self.pipelines, bridge, self.world))

    @rule(data=st.data(), end=st.sampled_from(["success", "failed"]))
    def a_runner_is_at_work(self, data, end):
        ready = [
            each for each in self.jobs() if not each.bridge and each.status in ("pending", "running", "canceling")
        ]
        if ready:
            chosen = data.draw(st.sampled_from(ready))
            if chosen.status == "pending":
                assert self.pipelines.started(chosen, "runner")
            else:
                self.pipelines.finished(chosen, end)

    @rule(data=st.data(), what=st.sampled_from(["cancel", "retry", "play"]))
    def somebody_wants_something_of_a_job(self, data, what):
        chosen = data.draw(st.sampled_from(self.jobs()))
        try:
            getattr(self.pipelines, what)(chosen.pipeline_id, chosen.name)
        except EngineError:
            return

    @rule(data=st.data(), what=st.sampled_from(["cancel", "retry_failed"]))
    def somebody_wants_something_of_a_pipeline(self, data, what):
        getattr(self.pipelines, what)(data.draw(st.sampled_from(family(self.pipelines, self.top))))

    @invariant()
    @precondition(lambda self: hasattr(self, "top"))
    def bridges_agree_with_what_they_follow(self):
        for bridge in (each for each in self.jobs() if each.bridge):
            if bridge.downstream is None:
                assert bridge.status != "success"
                continue
            below = self.pipelines.store.pipeline(bridge.downstream).status
            if self.strategy is None:
                assert bridge.status == "success"
            elif bridge.status != "canceled":
                assert bridge.status == followed(self.strategy, below), (bridge.status, below)

    @invariant()
    @precondition(lambda self: hasattr(self, "top"))
    def what_is_stored_is_what_is_known(self):
        for number in family(self.pipelines, self.top):
            live = self.pipelines.live(number)
            assert live.record == self.pipelines.store.pipeline(number)
            assert live.jobs == {each.name: each for each in self.pipelines.store.jobs(number)}
            assert live.states.jobs == {name: each.status for name, each in live.jobs.items()}

    @invariant()
    @precondition(lambda self: hasattr(self, "top"))
    def no_pipeline_is_over_while_its_bridge_runs(self):
        for number in family(self.pipelines, self.top):
            live = self.pipelines.live(number)
            if live.record.status in COMPLETED:
                assert not any(live.jobs[name].status == "running" for name in live.graph.bridges)


Hierarchy.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestHierarchy = Hierarchy.TestCase
