"""Strategic merge patches, as kubectl sends them."""

from typing import Any

import pytest

from shipline.cluster.api.resources import find
from shipline.cluster.api.strategic import merge

POD = find("pods")


def pod(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": list(containers)}}


def test_containers_are_merged_by_name() -> None:
    old = pod({"name": "a", "image": "1"}, {"name": "b", "image": "1"})
    patch = {"spec": {"containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "3"}]}}
    images = {c["name"]: c["image"] for c in merge(POD, old, patch)["spec"]["containers"]}
    assert images == {"a": "1", "b": "2", "c": "3"}


def test_one_is_deleted_and_the_rest_put_in_order() -> None:
    old = pod({"name": "a"}, {"name": "b"}, {"name": "c"})
    patch = {
        "spec": {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}],
            "containers": [{"name": "a", "$patch": "delete"}],
        }
    }
    assert merge(POD, old, patch)["spec"]["containers"] == [{"name": "c"}, {"name": "b"}]


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        ({"finalizers": ["c"]}, ["a", "b", "c"]),
        ({"$deleteFromPrimitiveList/finalizers": ["a"]}, ["b"]),
        ({"finalizers": None}, None),
    ],
)
def test_sets_grow_and_shrink(patch: dict[str, Any], result: list[str] | None) -> None:
    old = {"metadata": {"finalizers": ["a", "b"]}}
    assert merge(POD, old, {"metadata": patch})["metadata"].get("finalizers") == result


def test_a_strategy_keeps_only_what_fits_its_type() -> None:
    old = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert merge(find("deployments.apps"), old, patch) == {"spec": {"strategy": {"type": "Recreate"}}}


def test_atomic_lists_are_replaced() -> None:
    old = pod({"name": "a", "command": ["sh", "-c"]})
    patch = {"spec": {"containers": [{"name": "a", "command": ["true"]}]}}
    assert merge(POD, old, patch)["spec"]["containers"][0]["command"] == ["true"]
