"""Watches by HTTP: bookmarks, lost history, and what a selector makes of a change."""

import asyncio
import json
from typing import Any

import pytest
from tests.cluster.api.clients import client
from tests.cluster.api.conftest import Cluster

from shipline.cluster.api import protobuf, watch


async def events(cluster: Cluster, query: str) -> list[dict[str, Any]]:
    """All events of a watch on ConfigMaps, which ends by its own timeout."""
    path = f"/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1&{query}"
    async with client(cluster) as session, session.get(path) as answer:
        assert answer.status == 200
        return [json.loads(line) for line in (await answer.read()).splitlines()]


def put(cluster: Cluster, name: str, **labels: str) -> str:
    made = cluster.api.create("configmaps", "default", {"metadata": {"name": name, "labels": labels}})
    return str(made["metadata"]["resourceVersion"])


async def test_the_present_ends_with_a_marked_bookmark(cluster: Cluster) -> None:
    put(cluster, "a")
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    first, marked, *_ = await events(cluster, query)
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "a")
    assert marked["type"] == "BOOKMARK"
    assert marked["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_changes_since_a_version(cluster: Cluster) -> None:
    version = put(cluster, "a", tier="front")
    put(cluster, "b")
    cluster.api.delete("configmaps", "default", "a")
    seen = await events(cluster, f"resourceVersion={version}")
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in seen] == [
        ("ADDED", "b"),
        ("DELETED", "a"),
    ]
    seen = await events(cluster, f"resourceVersion={version}&labelSelector=tier%3Dfront")
    assert [event["type"] for event in seen] == ["DELETED"]


async def test_forgotten_history_is_told_in_the_stream(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "RING_SIZE", 2)
    version = put(cluster, "a")
    for name in "bcd":
        put(cluster, name)
    (lost,) = await events(cluster, f"resourceVersion={version}")
    assert lost["type"] == "ERROR"
    assert (lost["object"]["code"], lost["object"]["reason"]) == (410, "Expired")


async def test_rows_for_those_who_ask_for_tables(cluster: Cluster) -> None:
    put(cluster, "a")
    watcher = asyncio.create_task(cluster.kubectl("timeout 2 kubectl get configmaps --watch --no-headers"))
    assert (await watcher)[1].split()[:2] == ["a", "0"]


async def test_a_watch_ends_when_its_client_has_gone(cluster: Cluster) -> None:
    ring = cluster.api._ring("configmaps")

    async def watched_by(count: int) -> None:
        while len(ring._watches) != count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async with client(cluster) as session:
        answer = await session.get("/api/v1/configmaps?watch=1")
        await asyncio.wait_for(watched_by(1), 5)
        answer.close()
        await asyncio.wait_for(watched_by(0), 5)


async def test_events_in_protobuf(cluster: Cluster) -> None:
    put(cluster, "a")
    path = "/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1"
    headers = {"Accept": "application/vnd.kubernetes.protobuf"}
    async with client(cluster) as session, session.get(path, headers=headers) as answer:
        assert answer.headers["Content-Type"] == "application/vnd.kubernetes.protobuf;stream=watch"
        raw = await answer.read()
    assert int.from_bytes(raw[:4], "big") == len(raw) - 4
    kind, _, rest = raw[4:].partition(protobuf.MAGIC)
    assert b"ADDED" in kind
    assert protobuf.read(protobuf.MAGIC + rest)["metadata"]["name"] == "a"
