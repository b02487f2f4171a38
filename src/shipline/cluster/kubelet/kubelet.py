"""The kubelet: a worker for every pod that is bound to this node, and order among what earlier ones left."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import Any

from shipline.cluster import labels
from shipline.cluster.api.errors import ApiError
from shipline.cluster.kubelet.context import Node
from shipline.cluster.kubelet.pod import PodWorker
from shipline.cluster.kubelet.projection import references
from shipline.cluster.kubelet.runtime import Found

Json = dict[str, Any]
log = logging.getLogger(__name__)


class Kubelet:
    """Runs the pods of one node. `run` is its life; it ends by being cancelled, and the containers go on."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

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
        async for kind, pod in self._node.api.watch("pods", field_selector=selector):
            uid = pod["metadata"]["uid"]
            worker = self._workers.get(uid)
            if kind == "DELETED":
                if worker is not None:
                    worker.gone()
            elif worker is None:
                self._begin(pod, by_pod.pop(uid, []))
            else:
                worker.update(pod)

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
        worker = self._workers.pop(uid, None)
        self._tasks.pop(uid, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            name = worker.pod["metadata"]["name"] if worker else uid
            log.error("the worker of pod %s has failed", name, exc_info=error)

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
