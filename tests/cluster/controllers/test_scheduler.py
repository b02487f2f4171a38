"""Pods find a node, or learn why not, in the scheduler's words."""

import pytest
from tests.cluster.conftest import container, node, pod

NO_HELP = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
NO_VICTIMS = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."


def place(world, name="p"):
    return world.api.get("pods", "default", name)["spec"].get("nodeName")


def requesting(**requests):
    return [container(resources={"requests": requests})]


def affine(kind, **term):
    return {
        kind: {
            "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname", **term}]
        }
    }


async def test_a_pod_gets_the_node_and_an_event(world):
    world.api.create("pods", "default", pod("p"))
    await world.settle()
    assert place(world) == "node"
    (event,) = [one for one in world.api.list("events") if one["reason"] == "Scheduled"]
    assert event["message"] == "Successfully assigned default/p to node"
    assert (event["action"], event["reportingComponent"]) == ("Binding", "default-scheduler")
    assert event["reportingInstance"] == "default-scheduler-node"


async def test_a_pod_that_names_its_node_or_its_scheduler_is_left_alone(world):
    world.api.create("pods", "default", pod("p", nodeName="elsewhere"))
    world.api.create("pods", "default", pod("q", schedulerName="mine"))
    await world.settle()
    assert not place(world, "q")
    assert not world.events("Scheduled")


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (
            {"containers": requesting(cpu="100", memory="900Gi")},
            f"1 Insufficient cpu, 1 Insufficient memory. no new claims to deallocate, {NO_HELP}",
        ),
        (
            {"nodeSelector": {"disk": "ssd"}},
            f"1 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, {NO_HELP}",
        ),
        (
            {"affinity": affine("podAffinity", labelSelector={"matchLabels": {"app": "db"}})},
            f"1 node(s) didn't match pod affinity rules. no new claims to deallocate, {NO_HELP}",
        ),
    ],
)
async def test_a_pod_that_fits_nowhere_says_why(world, spec, why):
    world.api.create("pods", "default", pod("p", **spec))
    await world.settle()
    assert not place(world)
    message = f"0/1 nodes are available: {why}"
    assert world.events("FailedScheduling") == [message]
    (condition,) = world.api.get("pods", "default", "p")["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "PodScheduled",
        "False",
        "Unschedulable",
    )
    assert condition["message"] == message


async def test_room_is_what_other_pods_leave(world):
    world.api.create("pods", "default", pod("first", containers=requesting(cpu="1500m")))
    world.api.create("pods", "default", pod("p", containers=requesting(cpu="1")))
    await world.settle()
    assert not place(world)
    assert world.events("FailedScheduling") == [
        f"0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, {NO_VICTIMS}"
    ]
    world.api.delete("pods", "default", "first", grace_period=0)
    await world.settle()
    assert place(world) == "node"


async def test_a_limit_counts_as_request_and_init_containers_one_by_one(world):
    greedy = [container(name=name, resources={"limits": {"cpu": "2"}}) for name in ("a", "b")]
    world.api.create("pods", "default", pod("p", initContainers=greedy))
    await world.settle()
    assert place(world) == "node"


async def test_a_host_port_is_given_once(world):
    taking = [container(ports=[{"containerPort": 80, "hostPort": 8080}])]
    world.api.create("pods", "default", pod("first", containers=taking))
    await world.settle()
    world.api.create("pods", "default", pod("p", containers=taking))
    await world.settle()
    assert not place(world)
    assert "didn't have free ports for the requested pod ports" in world.events("FailedScheduling")[0]


async def test_a_taint_keeps_pods_away_that_do_not_tolerate_it(world):
    tainted = world.api.get("nodes", None, "node")
    tainted["spec"]["taints"] = [{"key": "for", "value": "builds", "effect": "NoSchedule"}]
    world.api.update("nodes", None, tainted)
    world.api.create("pods", "default", pod("p"))
    tolerations = [{"key": "for", "operator": "Equal", "value": "builds", "effect": "NoSchedule"}]
    world.api.create("pods", "default", pod("q", tolerations=tolerations))
    await world.settle()
    assert not place(world)
    assert place(world, "q") == "node"
    del tainted["spec"]["taints"], tainted["metadata"]["resourceVersion"]
    world.api.update("nodes", None, tainted)
    await world.settle()
    assert place(world) == "node"


async def test_a_cordoned_node_takes_nothing_new(world):
    world.api.patch("nodes", None, "node", {"spec": {"unschedulable": True}}, "merge")
    world.api.create("pods", "default", pod("p"))
    await world.settle()
    assert "1 node(s) were unschedulable" in world.events("FailedScheduling")[0]


async def test_pods_that_avoid_each_other_are_not_put_together(world):
    apart = affine("podAntiAffinity", labelSelector={"matchLabels": {"app": "db"}})
    world.api.create("pods", "default", pod("p", {"app": "db"}, affinity=apart))
    await world.settle()
    world.api.create("pods", "default", pod("q", {"app": "db"}, affinity=apart))
    await world.settle()
    assert (place(world), place(world, "q")) == ("node", None)


async def test_node_affinity_terms_are_alternatives(world):
    def term(value):
        return {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [value]}]}

    required = {"nodeSelectorTerms": [term("elsewhere"), term("node")]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    world.api.create("pods", "default", pod("p", affinity=affinity))
    await world.settle()
    assert place(world) == "node"


async def test_with_no_node_at_all_pods_wait_for_one(world):
    world.api.delete("nodes", None, "node")
    world.api.create("pods", "default", pod("p"))
    await world.settle()
    assert world.events("FailedScheduling") == ["no nodes available to schedule pods"]
    late = node("late")
    world.api.create("nodes", None, late)
    world.api.update_status("nodes", None, {**world.api.get("nodes", None, "late"), "status": late["status"]})
    await world.settle()
    assert place(world) == "late"
