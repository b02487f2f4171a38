"""Whatever happens in a rolling update, there are never too few available pods and never too many pods."""

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cluster.conftest import World, deployment

from shipline.cluster.api.machinery import Api
from shipline.cluster.controllers import podstate, rollout_sizes
from shipline.cluster.controllers.deployment import DeploymentController
from shipline.cluster.controllers.replicaset import ReplicaSetController

LIMIT = st.one_of(st.integers(0, 4), st.integers(0, 100).map("{}%".format))


@settings(max_examples=25, deadline=None)
@given(replicas=st.integers(1, 8), surge=LIMIT, unavailable=LIMIT, seed=st.integers())
def test_a_rolling_update_stays_within_its_limits(replicas, surge, unavailable, seed):
    if str(surge).strip("%") == "0" and str(unavailable).strip("%") == "0":
        surge = 1  # refused by the API: nothing could move
    asyncio.run(roll(replicas, surge, unavailable, random.Random(seed)))


async def roll(replicas, surge, unavailable, chance):
    """Roll out three images, the second interrupted by the third, with pods that start and end in any order."""
    api = Api()
    api.create("namespaces", None, {"metadata": {"name": "default"}})
    api.create("serviceaccounts", "default", {"metadata": {"name": "default"}})
    world = World(api)
    loops = [ReplicaSetController(api).loop(), DeploymentController(api).loop()]
    tasks = [asyncio.create_task(loop.run()) for loop in loops]
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    made = api.create("deployments.apps", "default", deployment(replicas=replicas, strategy=strategy))
    most, fewest = rollout_sizes.most(made), rollout_sizes.fewest_available(made)
    await finish(world, chance)
    for image, steps in (("web:2", chance.randrange(2 * replicas)), ("web:3", None)):
        patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}
        api.patch("deployments.apps", "default", "web", patch, "strategic")
        await finish(world, chance, steps, lambda: check(api, most, fewest))
    assert {pod["spec"]["containers"][0]["image"] for pod in world.pods(app="web")} == {"web:3"}
    assert len(world.pods(app="web")) == replicas
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    api.close()


def check(api, most, fewest):
    active = [pod for pod in api.list("pods", "default") if podstate.is_active(pod)]
    assert len(active) <= most
    assert sum(podstate.is_ready(pod) for pod in active) >= fewest


async def finish(world, chance, steps=None, check=lambda: None):
    """Start and end pods one at a time, in a random order, `steps` times or until nothing is left to do."""
    while steps is None or steps > 0:
        version = ""
        while version != world.api.resource_version:
            version = world.api.resource_version
            for _ in range(20):
                await asyncio.sleep(0)
                check()
        waiting = [
            pod
            for pod in world.api.list("pods", "default")
            if pod["metadata"].get("deletionTimestamp") or not podstate.is_ready(pod)
        ]
        if not waiting:
            return
        pod = chance.choice(waiting)
        if pod["metadata"].get("deletionTimestamp"):
            world.end(pod)
        else:
            world.run(pod)
        steps = None if steps is None else steps - 1
