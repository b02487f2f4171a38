"""The kubelet: a worker for every pod that is bound to this node, and order among what earlier ones left."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from typing import Any

from shipline.cluster import labels
from shipline.cluster.api.errors import ApiError
from shipline.cluster.errors import ContainerEngineError
from shipline.cluster.kubelet.context import Node
from shipline.cluster.kubelet.pod import PodWorker
from shipline.cluster.kubelet.projection import references
from shipline.cluster.kubelet.runtime import Found

Json = dict[str, Any]
log = logging.getLogger(__name__)

_PAUSE = 2.0  # seconds before a pod whose worker has failed gets another


class Kubelet:
    """Runs the pods of one node. `run` is its life; it ends by being cancelled, and the containers go on."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._finished: set[str] = set()  # uids that are gone from the node while finalizers hold the object

    def worker(self, pod: Json) -> PodWorker | None:
        """The worker of a pod, for streams."""
        return self._workers.get(pod["metadata"]["uid"])

    async def run(self) -> None:
        """Take over what is there, then follow the API and the engine, for ever."""
        found = await self._node.runtime.containers()
        by_pod: defaultdict[str, list[Found]] = defaultdict(list)
        for one in found:
            if uid := one.labels.get(labels.POD_UID):
                by_pod[uid].append(one)
                if one.address and one.state == "running":
                    self._node.bridge.claim(one.address)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._node.runtime.follow())
            group.create_task(self._remove_orphans(by_pod))
            group.create_task(self._follow_pods(by_pod))
            for resource in ("configmaps", "secrets"):
                group.create_task(self._follow_sources(resource))

    async def _remove_orphans(self, by_pod: dict[str, list[Found]]) -> None:
        """Containers and volumes of pods that are gone from the API."""
        known = {pod["metadata"]["uid"] for pod in self._node.api.list("pods")}
        for uid, containers in list(by_pod.items()):
            if uid not in known:
                log.info("removing what is left of pod %s", uid)
                await asyncio.gather(*(self._node.runtime.remove(one.id, one.networked) for one in containers))
        cluster = labels.of_cluster(self._node.facts.cluster)
        for volume in await self._node.engine.find("volumes", [cluster]):
            if (volume.get("Labels") or {}).get(labels.POD_UID) not in known:
                await self._node.engine.delete(f"volumes/{volume['Name']}", force=True)

    async def _follow_pods(self, by_pod: dict[str, list[Found]]) -> None:
        selector = f"spec.nodeName={self._node.facts.name}"
        while True:
            with contextlib.suppress(ApiError):  # too far behind: begin with what is there now
                async for kind, pod in self._node.api.watch("pods", field_selector=selector):
                    self._heard(kind, pod, by_pod)
            present = {pod["metadata"]["uid"] for pod in self._node.api.list("pods", field_selector=selector)}
            for uid in set(self._workers) - present:
                self._workers[uid].gone()

    def _heard(self, kind: str, pod: Json, by_pod: dict[str, list[Found]]) -> None:
        uid = pod["metadata"]["uid"]
        worker = self._workers.get(uid)
        if kind == "DELETED":
            self._finished.discard(uid)
            if worker is not None:
                worker.gone()
        elif worker is not None:
            worker.update(pod)
        elif uid not in self._finished and uid not in self._tasks:
            self._begin(pod, by_pod.pop(uid, []))

    def _begin(self, pod: Json, found: list[Found]) -> None:
        uid = pod["metadata"]["uid"]
        worker = PodWorker(self._node, pod, found)
        self._workers[uid] = worker
        task = asyncio.create_task(worker.run(), name=f"pod {pod['metadata']['name']}")
        self._tasks[uid] = task
        task.add_done_callback(lambda done: self._ended(uid, done))
        if pod["metadata"].get("deletionTimestamp"):
            worker.update(pod)

    def _ended(self, uid: str, task: asyncio.Task[None]) -> None:
        worker = self._workers.pop(uid)
        self._tasks.pop(uid)
        if task.cancelled():
            return
        metadata = worker.pod["metadata"]
        if (error := task.exception()) is not None:
            log.error("the worker of pod %s has failed", metadata["name"], exc_info=error)
            worker.abandon()
            self._tasks[uid] = asyncio.create_task(self._begin_again(uid, worker.pod))
        elif (left := self._present(worker.pod)) is not None and left["metadata"]["uid"] == uid:
            self._finished.add(uid)

    def _present(self, pod: Json) -> Json | None:
        metadata = pod["metadata"]
        return self._node.api.look_up("pods", metadata["namespace"], metadata["name"])

    async def _begin_again(self, uid: str, pod: Json) -> None:
        """After a while, another worker takes over what the failed one has left."""
        while True:
            await asyncio.sleep(_PAUSE)
            try:
                found = [
                    one for one in await self._node.runtime.containers() if one.labels.get(labels.POD_UID) == uid
                ]
                break
            except ContainerEngineError as error:
                log.warning("%s", error)
        present = self._present(pod)
        if present is not None and present["metadata"]["uid"] == uid:
            if uid not in self._workers:
                self._begin(present, found)
        else:
            self._tasks.pop(uid, None)
            await asyncio.gather(*(self._node.runtime.remove(one.id, one.networked) for one in found))

    async def _follow_sources(self, resource: str) -> None:
        """Wake pods whose volumes show a ConfigMap or Secret that has changed."""
        version = self._node.api.resource_version
        while True:
            try:
                async for _, source in self._node.api.watch(resource, since=version):
                    metadata = source["metadata"]
                    for worker in self._workers.values():
                        same = worker.pod["metadata"]["namespace"] == metadata["namespace"]
                        if same and metadata["name"] in references(worker.pod, resource):
                            worker.refresh()
            except ApiError:  # too far behind: begin with what is there now
                version = self._node.api.resource_version
                for worker in self._workers.values():
                    worker.refresh()
