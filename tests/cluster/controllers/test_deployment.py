"""Rollouts as kubectl sees them: revisions, counts, conditions and Events."""

import pytest
from tests.cluster.conftest import World, deployment

from shipline.cluster.controllers import revisions

DEPLOYMENTS, REPLICASETS = "deployments.apps", "replicasets.apps"


def get(world: World, name="web"):
    return world.api.get(DEPLOYMENTS, "default", name)


def condition(obj, kind):
    return next((one for one in obj["status"]["conditions"] if one["type"] == kind), None)


async def roll_out(world: World, name="web"):
    """Have every pod become ready and every leaving one go, until nothing changes any more."""
    for _ in range(100):
        await world.settle()
        pods = world.api.list("pods", "default", f"app={name}")
        leaving = [pod for pod in pods if pod["metadata"].get("deletionTimestamp")]
        starting = [pod for pod in pods if pod["status"]["phase"] == "Pending" and pod not in leaving]
        if not leaving and not starting:
            return
        for pod in starting:
            world.run(pod)
        for pod in leaving:
            world.end(pod)
    raise AssertionError("the rollout has no end")


async def change_image(world: World, image: str, name="web"):
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}
    world.api.patch(DEPLOYMENTS, "default", name, patch, "strategic")
    await world.settle()


async def test_a_deployment_makes_a_replicaset_and_pods(world):
    world.api.create(DEPLOYMENTS, "default", deployment(replicas=2))
    await roll_out(world)
    (replicaset,) = world.api.list(REPLICASETS, "default")
    stamp = replicaset["metadata"]["labels"]["pod-template-hash"]
    assert replicaset["metadata"]["name"] == f"web-{stamp}"
    assert replicaset["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": stamp}
    assert replicaset["metadata"]["annotations"] == {
        "deployment.kubernetes.io/desired-replicas": "2",
        "deployment.kubernetes.io/max-replicas": "3",
        "deployment.kubernetes.io/revision": "1",
    }
    status = get(world)["status"]
    assert {name: value for name, value in status.items() if name != "conditions"} == {
        "availableReplicas": 2,
        "observedGeneration": 1,
        "readyReplicas": 2,
        "replicas": 2,
        "terminatingReplicas": 0,
        "updatedReplicas": 2,
    }
    assert [(one["type"], one["status"], one["reason"], one["message"]) for one in status["conditions"]] == [
        ("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
        (
            "Progressing",
            "True",
            "NewReplicaSetAvailable",
            f'ReplicaSet "web-{stamp}" has successfully progressed.',
        ),
    ]
    assert world.events("ScalingReplicaSet") == [f"Scaled up replica set web-{stamp} from 0 to 2"]


async def test_a_new_image_rolls_one_by_one(world):
    world.api.create(DEPLOYMENTS, "default", deployment(replicas=2))
    await roll_out(world)
    (old,) = world.api.list(REPLICASETS, "default")
    await change_image(world, "web:2")
    assert get(world)["status"]["replicas"] == 3  # surge first
    await roll_out(world)
    new = next(one for one in world.api.list(REPLICASETS, "default") if one["spec"]["replicas"])
    first, second = old["metadata"]["name"], new["metadata"]["name"]
    assert world.events("ScalingReplicaSet") == [
        f"Scaled up replica set {first} from 0 to 2",
        f"Scaled up replica set {second} from 0 to 1",
        f"Scaled down replica set {first} from 2 to 1",
        f"Scaled up replica set {second} from 1 to 2",
        f"Scaled down replica set {first} from 1 to 0",
    ]
    assert get(world)["metadata"]["annotations"][revisions.REVISION] == "2"
    assert get(world)["metadata"]["generation"] == 2


async def test_going_back_takes_the_old_replicaset_up_again_with_a_new_revision(world):
    world.api.create(DEPLOYMENTS, "default", deployment())
    await roll_out(world)
    await change_image(world, "web:2")
    await roll_out(world)
    await change_image(world, "web:1")
    await roll_out(world)
    numbers = sorted(revisions.revision(one) for one in world.api.list(REPLICASETS, "default"))
    assert numbers == [2, 3]
    back = next(one for one in world.api.list(REPLICASETS, "default") if revisions.revision(one) == 3)
    assert back["metadata"]["annotations"][revisions.HISTORY] == "1"
    assert back["spec"]["replicas"] == 2
    assert {pod["spec"]["containers"][0]["image"] for pod in world.pods(app="web")} == {"web:1"}


async def test_a_paused_deployment_scales_but_does_not_roll(world):
    world.api.create(DEPLOYMENTS, "default", deployment())
    await roll_out(world)
    world.api.patch(DEPLOYMENTS, "default", "web", {"spec": {"paused": True}}, "merge")
    await change_image(world, "web:2")
    assert len(world.api.list(REPLICASETS, "default")) == 1
    assert condition(get(world), "Progressing")["reason"] == "DeploymentPaused"
    assert "updatedReplicas" not in get(world)["status"]
    world.api.patch(DEPLOYMENTS, "default", "web", {"spec": {"replicas": 3}}, "merge")
    await roll_out(world)
    assert {pod["spec"]["containers"][0]["image"] for pod in world.pods(app="web")} == {"web:1"}
    assert len(world.pods(app="web")) == 3
    world.api.patch(DEPLOYMENTS, "default", "web", {"spec": {"paused": None}}, "merge")
    await roll_out(world)
    assert {pod["spec"]["containers"][0]["image"] for pod in world.pods(app="web")} == {"web:2"}
    assert condition(get(world), "Progressing")["reason"] == "NewReplicaSetAvailable"


async def test_recreate_ends_all_old_pods_before_the_first_new_one(world):
    world.api.create(DEPLOYMENTS, "default", deployment(strategy={"type": "Recreate"}))
    await roll_out(world)
    await change_image(world, "web:2")
    leaving = world.api.list("pods", "default")
    assert len(leaving) == 2
    assert all(pod["metadata"].get("deletionTimestamp") for pod in leaving)
    world.end(leaving[0])
    await world.settle()
    assert not world.pods(app="web")
    world.end(leaving[1])
    await world.settle()
    assert len(world.pods(app="web")) == 2


async def test_history_is_cut_to_its_limit(world):
    world.api.create(DEPLOYMENTS, "default", deployment(revisionHistoryLimit=1))
    for number in range(1, 5):
        await change_image(world, f"web:{number}")
        await roll_out(world)
    assert sorted(revisions.revision(one) for one in world.api.list(REPLICASETS, "default")) == [3, 4]


async def test_a_rollout_that_stands_still_for_too_long_is_called_failed(world):
    world.api.create(DEPLOYMENTS, "default", deployment(progressDeadlineSeconds=1))
    await roll_out(world)
    await change_image(world, "web:broken")
    broken = next(one for one in world.api.list(REPLICASETS, "default") if revisions.revision(one) == 2)
    failed = await world.until(
        lambda: next(
            (one for one in get(world)["status"]["conditions"] if one["reason"] == "ProgressDeadlineExceeded"), None
        )
    )
    assert failed["status"] == "False"
    assert failed["message"] == f'ReplicaSet "{broken["metadata"]["name"]}" has timed out progressing.'
    assert condition(get(world), "Available")["status"] == "True"
    await change_image(world, "web:1")
    await roll_out(world)
    assert condition(get(world), "Progressing")["reason"] == "NewReplicaSetAvailable"


async def test_pods_count_once_they_have_been_ready_long_enough(world):
    world.api.create(DEPLOYMENTS, "default", deployment(replicas=1, minReadySeconds=1))
    await world.settle()
    world.run(world.pods(app="web")[0])
    await world.settle()
    assert get(world)["status"]["readyReplicas"] == 1
    assert "availableReplicas" not in get(world)["status"]
    await world.until(lambda: get(world)["status"].get("availableReplicas") == 1)


async def test_a_foreign_replicaset_with_the_same_name_makes_for_another_hash(world):
    from shipline.cluster.controllers.revisions import template_hash

    probe = world.api.create(DEPLOYMENTS, "default", deployment())
    stamp = template_hash(probe["spec"]["template"], 0)
    world.api.delete(DEPLOYMENTS, "default", "web")
    await roll_out(world)
    foreign = {
        "metadata": {"name": f"web-{stamp}"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "other"}},
            "template": {**probe["spec"]["template"], "metadata": {"labels": {"app": "other"}}},
        },
    }
    world.api.create(REPLICASETS, "default", foreign)
    world.api.create(DEPLOYMENTS, "default", deployment())
    await world.until(lambda: len(world.pods(app="web")) == 2)
    assert get(world)["status"]["collisionCount"] == 1


async def test_scaling_touches_one_replicaset_alone(world):
    world.api.create(DEPLOYMENTS, "default", deployment(replicas=3))
    await roll_out(world)
    world.api.patch(DEPLOYMENTS, "default", "web", {"spec": {"replicas": 1}}, "merge")
    await roll_out(world)
    assert len(world.pods(app="web")) == 1
    (replicaset,) = world.api.list(REPLICASETS, "default")
    assert replicaset["metadata"]["annotations"]["deployment.kubernetes.io/desired-replicas"] == "1"


async def test_pods_that_cannot_be_made_show_in_the_conditions(world):
    broken = deployment()
    broken["spec"]["template"]["spec"]["serviceAccountName"] = "missing"
    world.api.create(DEPLOYMENTS, "default", broken)
    await world.settle()
    failure = condition(get(world), "ReplicaFailure")
    assert failure["reason"] == "FailedCreate"
    assert 'serviceaccount "missing" not found' in failure["message"]
    world.api.create("serviceaccounts", "default", {"metadata": {"name": "missing"}})
    await world.until(lambda: len(world.pods(app="web")) == 2)
    await world.until(lambda: condition(get(world), "ReplicaFailure") is None)


@pytest.mark.parametrize("collisions", [0, 1])
def test_the_hash_depends_on_what_a_template_says_and_not_on_how(collisions):
    one = {"metadata": {"labels": {"a": "b", "c": "d"}}, "spec": {"containers": [{"name": "c"}], "volumes": []}}
    other = {"spec": {"containers": [{"name": "c"}]}, "metadata": {"labels": {"c": "d", "a": "b"}}}
    assert revisions.template_hash(one, collisions) == revisions.template_hash(other, collisions)
    other["spec"]["containers"][0]["image"] = "x"
    assert revisions.template_hash(one, collisions) != revisions.template_hash(other, collisions)
