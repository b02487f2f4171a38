"""What the tests of the controllers share: an Api in memory, and a node on which pods run when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from shipline.cluster.api.machinery import Api
from shipline.cluster.api.names import timestamp
from shipline.cluster.controllers import run_all

Json = dict[str, Any]


class World:
    """An Api whose controllers run, with one node, and a kubelet that is the test itself."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.addresses = 0

    async def until(self, what: Callable[[], Any], seconds: float = 5.0) -> Any:
        """Wait until `what` gives something true, and return that."""
        async with asyncio.timeout(seconds):
            while True:
                if result := what():
                    return result
                await asyncio.sleep(0.005)

    async def settle(self) -> None:
        """Wait until no controller has anything left to do."""
        version = ""
        for _ in range(200):
            if version == self.api.resource_version:
                return
            version = self.api.resource_version
            for _ in range(50):
                await asyncio.sleep(0)
        raise AssertionError("the controllers find no rest")

    def pods(self, **labels: str) -> list[Json]:
        """The pods in `default` that have these labels and aren't on their way out."""
        pods = self.api.list("pods", "default", ",".join(f"{key}={value}" for key, value in labels.items()))
        return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]

    def run(self, pod: Json, ready: bool = True) -> None:
        """Report a pod as running, as a kubelet would."""
        self.addresses += 1
        now = timestamp()
        pod = self.api.get("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
        status = pod["status"]
        status["phase"] = "Running"
        status.setdefault("podIP", f"10.1.{self.addresses // 250}.{self.addresses % 250 + 1}")
        status["conditions"] = [one for one in status.get("conditions", []) if one["type"] != "Ready"]
        status["conditions"].append(
            {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": now}
        )
        self.api.update_status("pods", pod["metadata"]["namespace"], pod)

    def end(self, pod: Json) -> None:
        """Report that a pod which was told to go has gone."""
        self.api.delete("pods", pod["metadata"]["namespace"], pod["metadata"]["name"], grace_period=0)

    def events(self, reason: str) -> list[str]:
        """The messages of the Events with that reason."""
        return [event["message"] for event in self.api.list("events") if event["reason"] == reason]


def container(**more: Any) -> Json:
    """A container named `c` of busybox."""
    return {"name": "c", "image": "busybox:1.36", **more}


def pod(name: str, labels: dict[str, str] | None = None, **spec: Any) -> Json:
    """A pod with one container."""
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": {"containers": [container()], **spec}}


def deployment(name: str = "web", replicas: int = 2, image: str = "web:1", **spec: Any) -> Json:
    """A Deployment of pods labelled `app: <name>`."""
    labels = {"app": name}
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container(image=image)]}},
            **spec,
        },
    }


def node(name: str = "node", **allocatable: str) -> Json:
    """A node that is ready and has room."""
    room = {"cpu": "2", "memory": "4Gi", "pods": "110", **allocatable}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {},
        "status": {"allocatable": room, "capacity": room, "conditions": [{"type": "Ready", "status": "True"}]},
    }


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An empty cluster whose controllers run: four namespaces, one node, no kubelet."""
    api = Api()
    created = node()
    api.create("nodes", None, created)
    api.update_status("nodes", None, {**api.get("nodes", None, "node"), "status": created["status"]})
    controllers = asyncio.create_task(run_all(api, "-----BEGIN CERTIFICATE-----\n", "node"))
    world = World(api)
    await world.settle()
    yield world
    assert not controllers.done(), controllers.exception()
    controllers.cancel()
    await asyncio.gather(controllers, return_exceptions=True)
    api.close()
