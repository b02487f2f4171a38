"""Namespaces are there from the start, come with what they need, and are emptied before they go."""

import pytest
from tests.cluster.conftest import deployment, pod

from shipline.cluster.api.errors import ApiError

TOKEN = "kubernetes.io/service-account-token"


async def test_the_system_has_four(world):
    names = [one["metadata"]["name"] for one in world.api.list("namespaces")]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]


async def test_a_new_one_gets_an_account_and_the_authority(world):
    world.api.create("namespaces", None, {"metadata": {"name": "team"}})
    await world.settle()
    assert world.api.get("serviceaccounts", "team", "default")
    authority = world.api.get("configmaps", "team", "kube-root-ca.crt")
    assert authority["data"] == {"ca.crt": "-----BEGIN CERTIFICATE-----\n"}


async def test_what_was_removed_or_changed_there_is_put_back(world):
    world.api.delete("serviceaccounts", "default", "default")
    world.api.patch("configmaps", "default", "kube-root-ca.crt", {"data": {"ca.crt": "mine"}}, "merge")
    await world.settle()
    assert world.api.get("serviceaccounts", "default", "default")
    assert world.api.get("configmaps", "default", "kube-root-ca.crt")["data"]["ca.crt"].startswith("-----BEGIN")


async def test_a_deleted_one_goes_when_all_in_it_has_gone(world):
    world.api.create("namespaces", None, {"metadata": {"name": "team"}})
    await world.settle()
    world.api.create("configmaps", "team", {"metadata": {"name": "c"}})
    world.api.create("secrets", "team", {"metadata": {"name": "s"}})
    world.api.create("deployments.apps", "team", deployment())
    world.api.create("pods", "team", pod("p"))
    await world.settle()
    world.api.delete("namespaces", None, "team")
    await world.settle()
    namespace = world.api.get("namespaces", None, "team")
    assert namespace["status"]["phase"] == "Terminating"
    (remaining,) = [one for one in namespace["status"]["conditions"] if one["type"] == "NamespaceContentRemaining"]
    assert remaining["message"] == "Some resources are remaining: pods. has 3 resource instances"
    assert world.api.list("configmaps", "team") == []
    for leaving in world.api.list("pods", "team"):
        world.end(leaving)
    await world.settle()
    with pytest.raises(ApiError, match='namespaces "team" not found'):
        world.api.get("namespaces", None, "team")


async def test_a_finalizer_in_it_holds_it(world):
    world.api.create("namespaces", None, {"metadata": {"name": "team"}})
    await world.settle()
    world.api.create("configmaps", "team", {"metadata": {"name": "c", "finalizers": ["example.com/hold"]}})
    world.api.delete("namespaces", None, "team")
    await world.settle()
    conditions = world.api.get("namespaces", None, "team")["status"]["conditions"]
    assert {one["type"] for one in conditions} >= {"NamespaceContentRemaining", "NamespaceFinalizersRemaining"}
    world.api.patch("configmaps", "team", "c", {"metadata": {"finalizers": None}}, "merge")
    await world.settle()
    assert "team" not in [one["metadata"]["name"] for one in world.api.list("namespaces")]


async def test_a_token_goes_with_its_account(world):
    world.api.create("serviceaccounts", "default", {"metadata": {"name": "robot"}})
    metadata = {"name": "robot-token", "annotations": {"kubernetes.io/service-account.name": "robot"}}
    world.api.create("secrets", "default", {"metadata": metadata, "type": TOKEN})
    await world.settle()
    assert world.api.get("secrets", "default", "robot-token")
    world.api.delete("serviceaccounts", "default", "robot")
    await world.settle()
    assert world.api.list("secrets", "default") == []
