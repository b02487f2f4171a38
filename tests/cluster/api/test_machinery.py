"""The truth of the cluster: what is written can be read, watched and survives."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from shipline.cluster.api.machinery import Api, ApiError


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


@pytest.fixture
def api() -> Api:
    api = Api()
    api.create("namespaces", None, {"metadata": {"name": "default"}})
    return api


def test_a_created_object_can_be_read_and_is_the_callers_own(api: Api) -> None:
    api.create("configmaps", "default", config_map("a", mode="fast"))
    copy = api.get("configmaps", "default", "a")
    copy["data"]["mode"] = "slow"
    assert api.get("configmaps", "default", "a")["data"] == {"mode": "fast"}


def test_an_old_resource_version_conflicts(api: Api) -> None:
    old = api.create("configmaps", "default", config_map("a", mode="fast"))
    api.patch("configmaps", "default", "a", {"data": {"mode": "slow"}})
    with pytest.raises(ApiError, match="the object has been modified") as refusal:
        api.update("configmaps", "default", old)
    assert refusal.value.status_code == 409


async def test_a_watch_gives_what_is_there_and_then_every_change(api: Api) -> None:
    api.create("configmaps", "default", config_map("a"))
    watch = api.watch("configmaps", "default", label_selector="tier=front")
    api.patch("configmaps", "default", "a", {"metadata": {"labels": {"tier": "front"}}})
    api.patch("configmaps", "default", "a", {"data": {"b": "c"}})
    api.patch("configmaps", "default", "a", {"metadata": {"labels": {"tier": None}}})
    seen = [await asyncio.wait_for(anext(watch), 1) for _ in range(3)]
    assert [kind for kind, _ in seen] == ["ADDED", "MODIFIED", "DELETED"]


def test_a_pod_on_a_node_is_given_its_grace(api: Api) -> None:
    spec = {"containers": [{"name": "c", "image": "busybox"}]}
    api.create("serviceaccounts", "default", {"metadata": {"name": "default"}})
    api.create("pods", "default", {"metadata": {"name": "p"}, "spec": spec})
    api.bind("default", "p", "node")
    going = api.delete("pods", "default", "p", grace_period=5)
    assert going["metadata"]["deletionGracePeriodSeconds"] == 5
    api.delete("pods", "default", "p", grace_period=0)
    with pytest.raises(ApiError, match='pods "p" not found'):
        api.get("pods", "default", "p")


def test_a_finalizer_holds_an_object_until_it_is_taken_away(api: Api) -> None:
    held = config_map("a")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    api.create("configmaps", "default", held)
    api.delete("configmaps", "default", "a")
    assert "deletionTimestamp" in api.get("configmaps", "default", "a")["metadata"]
    api.patch("configmaps", "default", "a", {"metadata": {"finalizers": None}}, "merge")
    assert api.list("configmaps") == []


def test_the_journal_survives_and_versions_go_on(tmp_path: Path) -> None:
    first = Api(tmp_path / "cluster.db")
    first.create("namespaces", None, {"metadata": {"name": "default"}})
    version = first.create("configmaps", "default", config_map("a"))["metadata"]["resourceVersion"]
    second = Api(tmp_path / "cluster.db")  # The first was never closed: it might have been killed.
    assert second.get("configmaps", "default", "a")["metadata"]["resourceVersion"] == version
    assert int(second.create("configmaps", "default", config_map("b"))["metadata"]["resourceVersion"]) > int(
        version
    )
