"""Lists by HTTP: pages, versions, forms, and what cannot be asked."""

from typing import Any

from tests.cluster.api.clients import client
from tests.cluster.api.conftest import Cluster

MAPS = "/api/v1/namespaces/default/configmaps"


def fill(cluster: Cluster, count: int) -> None:
    for number in range(count):
        cluster.api.create("configmaps", "default", {"metadata": {"name": f"m{number}"}})


async def test_pages_hold_everything_once_even_while_it_changes(cluster: Cluster) -> None:
    fill(cluster, 7)
    seen: list[str] = []
    async with client(cluster) as session:
        more, version = "", ""
        while True:
            query: dict[str, Any] = {"limit": 3} | ({"continue": more} if more else {})
            async with session.get(MAPS, params=query) as answer:
                page = await answer.json()
            seen += [item["metadata"]["name"] for item in page["items"]]
            version = version or page["metadata"]["resourceVersion"]
            assert page["metadata"]["resourceVersion"] == version
            more = page["metadata"].get("continue", "")
            if not more:
                break
            assert page["metadata"]["remainingItemCount"] == 7 - len(seen)
            cluster.api.patch("configmaps", "default", "m6", {"data": {"pages": str(len(seen))}})
    assert seen == [f"m{number}" for number in range(7)]


async def test_versions_that_are_not_here_yet_or_no_more(cluster: Cluster) -> None:
    fill(cluster, 1)
    async with client(cluster) as session:
        async with session.get(MAPS, params={"resourceVersion": "1000000"}) as answer:
            assert (answer.status, (await answer.json())["reason"]) == (504, "Timeout")
        exact = {"resourceVersion": "1", "resourceVersionMatch": "Exact"}
        async with session.get(MAPS, params=exact) as answer:
            assert (answer.status, (await answer.json())["reason"]) == (410, "Expired")
        async with session.get(MAPS, params={"limit": 1, "continue": "nonsense"}) as answer:
            assert answer.status == 400


async def test_what_a_path_does_not_allow(cluster: Cluster) -> None:
    async with client(cluster) as session:
        for method, path, status in (
            ("DELETE", "/api/v1/configmaps", 405),
            ("PUT", MAPS, 405),
            ("POST", f"{MAPS}/m", 405),
            ("POST", "/api/v1/configmaps", 405),
            ("GET", "/apis/batch/v1/jobs", 404),
            ("GET", "/api/v1/namespaces/default/nodes", 404),
            ("GET", f"{MAPS}/m/status", 404),
            ("POST", "/version", 404),
        ):
            async with session.request(method, path, json={}) as answer:
                assert answer.status == status, (method, path)


async def test_objects_may_come_as_yaml(cluster: Cluster) -> None:
    text = 'metadata:\n  name: y\n  annotations: {when: 2026-11-23, "n": "1"}\ndata: {clock: 12:30, text: "a: b"}\n'
    async with client(cluster) as session:
        async with session.post(MAPS, data=text, headers={"Content-Type": "application/yaml"}) as answer:
            assert answer.status == 201
        async with session.post(MAPS, data="a: [", headers={"Content-Type": "application/yaml"}) as answer:
            assert answer.status == 400
    made = cluster.api.get("configmaps", "default", "y")
    assert made["data"] == {"clock": "12:30", "text": "a: b"}
    assert made["metadata"]["annotations"]["when"] == "2026-11-23"


async def test_unknown_fields_are_told_or_refused(cluster: Cluster) -> None:
    async with client(cluster) as session:
        body = '{"metadata": {"name": "%s"}, "dat": {}, "data": {"a": "1", "a": "2"}}'
        headers = {"Content-Type": "application/json"}
        async with session.post(MAPS, data=body % "warned", headers=headers) as answer:
            assert answer.status == 201
            assert answer.headers.getall("Warning") == [
                '299 - "unknown field \\"dat\\""',
                '299 - "duplicate field \\"data.a\\""',
            ]
        query = {"fieldValidation": "Strict"}
        async with session.post(MAPS, params=query, data=body % "refused", headers=headers) as answer:
            said = (await answer.json())["message"]
            assert said == (
                'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
                'unknown field "dat", duplicate field "data.a"'
            )
        query = {"fieldValidation": "Ignore"}
        async with session.post(MAPS, params=query, data=body % "ignored", headers=headers) as answer:
            assert (answer.status, "Warning" in answer.headers) == (201, False)
