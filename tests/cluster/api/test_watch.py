"""Watches by HTTP: bookmarks, lost history, and what a selector makes of a change."""

import asyncio
import json
import ssl
from typing import Any

import aiohttp
import pytest
from tests.cluster.api.conftest import Cluster

from shipline.cluster.api import watch


async def events(cluster: Cluster, query: str) -> list[dict[str, Any]]:
    """All events of a watch on ConfigMaps, which ends by its own timeout."""
    tls = ssl.create_default_context(cafile=cluster.pki.authority)
    tls.load_cert_chain(cluster.pki.directory / "admin.crt", cluster.pki.directory / "admin.key")
    path = f"/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1&{query}"
    async with (
        aiohttp.ClientSession(cluster.url, connector=aiohttp.TCPConnector(ssl=tls)) as session,
        session.get(path) as answer,
    ):
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
    watcher = asyncio.create_task(cluster.kubectl("timeout 0.6 kubectl get configmaps --watch"))
    await asyncio.sleep(0.4)
    ring = cluster.api._ring("configmaps")
    assert len(ring._watches) == 1
    await watcher
    await asyncio.sleep(0.1)
    assert len(ring._watches) == 0
