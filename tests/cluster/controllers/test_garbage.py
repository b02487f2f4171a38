"""What happens to the dependents of a deleted object."""

import pytest
from tests.cluster.conftest import deployment

DEPLOYMENTS, REPLICASETS = "deployments.apps", "replicasets.apps"


def configmap(name, *owners):
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": True,
        }
        for owner in owners
    ]
    return {"metadata": {"name": name, "ownerReferences": references}}


def names(world):
    present = (one["metadata"]["name"] for one in world.api.list("configmaps", "default"))
    return [name for name in present if name != "kube-root-ca.crt"]


async def family(world):
    """A grandparent, its child and the child's child."""
    old = world.api.create("configmaps", "default", configmap("old"))
    middle = world.api.create("configmaps", "default", configmap("middle", old))
    world.api.create("configmaps", "default", configmap("young", middle))
    await world.settle()


async def test_dependents_follow_their_owner(world):
    await family(world)
    world.api.delete("configmaps", "default", "old")
    await world.settle()
    assert names(world) == []


async def test_orphans_stay_and_forget_their_owner(world):
    await family(world)
    world.api.delete("configmaps", "default", "old", propagation="Orphan")
    await world.settle()
    assert names(world) == ["middle", "young"]
    assert "ownerReferences" not in world.api.get("configmaps", "default", "middle")["metadata"]


async def test_in_the_foreground_the_owner_goes_last(world):
    await family(world)
    world.api.patch("configmaps", "default", "young", {"metadata": {"finalizers": ["example.com/hold"]}}, "merge")
    world.api.delete("configmaps", "default", "old", propagation="Foreground")
    await world.settle()
    assert names(world) == ["middle", "old", "young"]
    assert world.api.get("configmaps", "default", "old")["metadata"]["finalizers"] == ["foregroundDeletion"]
    world.api.patch("configmaps", "default", "young", {"metadata": {"finalizers": None}}, "merge")
    await world.settle()
    assert names(world) == []


async def test_an_object_lives_as_long_as_one_of_its_owners(world):
    one = world.api.create("configmaps", "default", configmap("one"))
    two = world.api.create("configmaps", "default", configmap("two"))
    world.api.create("configmaps", "default", configmap("child", one, two))
    await world.settle()
    world.api.delete("configmaps", "default", "one")
    await world.settle()
    (left,) = world.api.get("configmaps", "default", "child")["metadata"]["ownerReferences"]
    assert left["name"] == "two"
    world.api.delete("configmaps", "default", "two")
    await world.settle()
    assert names(world) == []


async def test_an_owner_that_never_was_is_as_good_as_gone(world):
    absent = {"metadata": {"name": "absent", "uid": "00000000-0000-0000-0000-000000000000"}}
    world.api.create("configmaps", "default", configmap("child", absent))
    await world.settle()
    assert names(world) == []


async def test_a_namesake_of_the_owner_is_not_the_owner(world):
    owner = world.api.create("configmaps", "default", configmap("owner"))
    world.api.create("configmaps", "default", configmap("child", owner))
    world.api.delete("configmaps", "default", "owner")
    world.api.create("configmaps", "default", configmap("owner"))
    await world.settle()
    assert names(world) == ["owner"]


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
async def test_a_deployment_takes_its_pods_along(world, propagation):
    world.api.create(DEPLOYMENTS, "default", deployment())
    await world.settle()
    world.api.delete(DEPLOYMENTS, "default", "web", propagation=propagation)
    await world.settle()
    pods = world.api.list("pods", "default")
    assert len(pods) == 2
    assert all(pod["metadata"].get("deletionTimestamp") for pod in pods)
    still_there = [bool(world.api.list(resource, "default")) for resource in (DEPLOYMENTS, REPLICASETS)]
    assert still_there == [propagation == "Foreground"] * 2
    for pod in pods:
        world.end(pod)
    await world.settle()
    assert not world.api.list(DEPLOYMENTS, "default")


async def test_a_deployment_deleted_without_its_pods_is_taken_up_by_the_next(world):
    world.api.create(DEPLOYMENTS, "default", deployment())
    await world.settle()
    before = {pod["metadata"]["name"] for pod in world.pods(app="web")}
    world.api.delete(DEPLOYMENTS, "default", "web", propagation="Orphan")
    await world.settle()
    assert len(world.api.list(REPLICASETS, "default")) == 1
    world.api.create(DEPLOYMENTS, "default", deployment())
    await world.settle()
    assert {pod["metadata"]["name"] for pod in world.pods(app="web")} == before
