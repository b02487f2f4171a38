"""A node that falls silent is marked and its pods move away; a pod of no node is removed."""

import asyncio

from tests.cluster.conftest import pod

from shipline.cluster.api.names import micro_timestamp
from shipline.cluster.controllers import podstate
from shipline.cluster.controllers.nodes import NodeController
from shipline.cluster.controllers.podgarbage import PodGarbage

LEASES = "leases.coordination.k8s.io"


def renew(world):
    lease = {"metadata": {"name": "node"}, "spec": {"holderIdentity": "node", "renewTime": micro_timestamp()}}
    try:
        world.api.create(LEASES, "kube-node-lease", lease)
    except Exception:
        world.api.update(LEASES, "kube-node-lease", lease)


async def test_a_node_is_announced(world):
    assert world.events("RegisteredNode") == ["Node node event: Registered Node node in Controller"]


async def test_silence_marks_a_node_and_a_sign_of_life_clears_it(world):
    impatient = asyncio.create_task(NodeController(world.api, grace=0.3).loop().run())
    renew(world)
    await world.settle()
    assert podstate.condition(world.api.get("nodes", None, "node"), "Ready")["status"] == "True"
    unknown = await world.until(
        lambda: podstate.condition(world.api.get("nodes", None, "node"), "Ready")["status"] == "Unknown"
    )
    assert unknown
    await world.settle()
    taints = world.api.get("nodes", None, "node")["spec"]["taints"]
    assert [(one["key"], one["effect"]) for one in taints] == [
        ("node.kubernetes.io/unreachable", "NoSchedule"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
    ]
    renew(world)
    alive = world.api.get("nodes", None, "node")
    alive["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    world.api.update_status("nodes", None, alive)
    await world.settle()
    assert "taints" not in world.api.get("nodes", None, "node")["spec"]
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)


async def test_pods_leave_a_node_when_they_no_longer_tolerate_it(world):
    patient = [{"key": "gone", "operator": "Exists", "effect": "NoExecute"}]
    passing = [{**patient[0], "tolerationSeconds": 1}]
    for name, tolerations in (("stays", patient), ("leaves", passing), ("flees", [])):
        world.api.create("pods", "default", pod(name, tolerations=tolerations))
    await world.settle()
    taints = [{"key": "gone", "effect": "NoExecute"}]
    world.api.patch("nodes", None, "node", {"spec": {"taints": taints}}, "merge")
    await world.settle()

    def left():
        return [one["metadata"]["name"] for one in world.pods()]

    assert left() == ["leaves", "stays"]
    await world.until(lambda: left() == ["stays"])


async def test_the_pods_of_a_node_that_stays_away_are_removed(world):
    impatient = asyncio.create_task(PodGarbage(world.api, quarantine=0.2).loop().run())
    world.api.create("pods", "default", pod("p"))
    await world.settle()
    world.api.delete("nodes", None, "node")
    await world.settle()
    assert len(world.api.list("pods", "default")) == 1
    await world.until(lambda: not world.api.list("pods", "default"))
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
