"""As many pods as asked for: made, adopted, released, deleted in the right order, counted."""

from tests.cluster.conftest import container, pod

from shipline.cluster.controllers.ownership import controller_of
from shipline.cluster.controllers.replicaset import deletion_rank

REPLICASETS = "replicasets.apps"


def replicaset(replicas=2, name="web"):
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container()]}}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


async def test_pods_are_made_and_replaced(world):
    world.api.create(REPLICASETS, "default", replicaset(2))
    await world.settle()
    first, second = world.pods(app="web")
    assert controller_of(first)["name"] == "web"
    assert first["metadata"]["name"].startswith("web-")
    world.api.delete("pods", "default", first["metadata"]["name"])
    await world.settle()
    names = {one["metadata"]["name"] for one in world.pods(app="web")}
    assert len(names) == 2
    assert second["metadata"]["name"] in names


async def test_an_orphan_that_matches_is_adopted(world):
    world.api.create("pods", "default", pod("stray", {"app": "web"}))
    world.api.create(REPLICASETS, "default", replicaset(2))
    await world.settle()
    assert len(world.pods(app="web")) == 2
    assert controller_of(world.api.get("pods", "default", "stray"))["name"] == "web"


async def test_a_pod_that_matches_no_more_is_released_and_replaced(world):
    world.api.create(REPLICASETS, "default", replicaset(1))
    await world.settle()
    (taken,) = world.pods(app="web")
    world.api.patch(
        "pods", "default", taken["metadata"]["name"], {"metadata": {"labels": {"app": "debug"}}}, "merge"
    )
    await world.settle()
    assert controller_of(world.api.get("pods", "default", taken["metadata"]["name"])) is None
    assert len(world.pods(app="web")) == 1


async def test_the_pods_of_another_are_left_alone(world):
    other = replicaset(1, "other")
    other["spec"]["template"]["metadata"]["labels"]["tier"] = "front"
    world.api.create(REPLICASETS, "default", other)
    await world.settle()
    greedy = replicaset(1, "greedy")
    greedy["spec"]["selector"] = {"matchLabels": {"tier": "front"}}
    greedy["spec"]["template"]["metadata"]["labels"] = {"tier": "front"}
    world.api.create(REPLICASETS, "default", greedy)
    await world.settle()
    owners = sorted(controller_of(one)["name"] for one in world.pods(tier="front"))
    assert owners == ["greedy", "other"]


async def test_a_finished_pod_is_replaced(world):
    world.api.create(REPLICASETS, "default", replicaset(1))
    await world.settle()
    (done,) = world.pods(app="web")
    world.api.update_status("pods", "default", {**done, "status": {**done["status"], "phase": "Failed"}})
    await world.settle()
    assert len(world.pods(app="web")) == 2


async def test_the_status_counts_what_is_there(world):
    world.api.create(REPLICASETS, "default", replicaset(3))
    await world.settle()
    first, second, third = world.pods(app="web")
    world.run(first)
    world.run(second, ready=False)
    world.api.delete("pods", "default", third["metadata"]["name"], grace_period=30)
    await world.settle()
    assert world.api.get(REPLICASETS, "default", "web")["status"] == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "terminatingReplicas": 1,
        "observedGeneration": 1,
    }


async def test_fewer_means_that_the_least_useful_go(world):
    world.api.create(REPLICASETS, "default", replicaset(3))
    await world.settle()
    pods = world.pods(app="web")
    world.run(pods[0], ready=False)
    world.run(pods[1])
    world.api.patch(REPLICASETS, "default", "web", {"spec": {"replicas": 1}}, "merge")
    await world.settle()
    (left,) = world.pods(app="web")
    assert left["metadata"]["name"] == pods[1]["metadata"]["name"]
    assert len(world.events("SuccessfulDelete")) == 2


def ranked(**changes):
    made = {
        "metadata": {"name": "p", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z", "annotations": {}},
        "spec": {"nodeName": "node"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:01:00Z"}],
            "containerStatuses": [{"restartCount": 0}],
        },
    }
    for field, value in changes.items():
        made[field] = {**made[field], **value}
    return deletion_rank(made)


def test_who_goes_first():
    since = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T00:00:00Z"}
    cheap = {"controller.kubernetes.io/pod-deletion-cost": "-5"}
    in_order = [
        ranked(spec={"nodeName": ""}, status={"phase": "Pending", "conditions": []}),
        ranked(status={"phase": "Pending", "conditions": []}),
        ranked(status={"conditions": []}),
        ranked(metadata={"annotations": cheap}),
        ranked(status={"conditions": [since]}),
        ranked(status={"containerStatuses": [{"restartCount": 3}]}),
        ranked(metadata={"creationTimestamp": "2026-01-01T00:00:30Z"}),
        ranked(),
    ]
    assert sorted(in_order) == in_order
