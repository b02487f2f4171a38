"""What a job has in the cluster, its pod and the Secret beside it: made, and taken away again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from shipline.runner.kubernetes.errors import ApiError, Unreachable
from shipline.runner.pod.cluster import Cluster
from shipline.runner.pod.spec import PodPlan
from shipline.runner.pod.watcher import PATIENCE

Object = dict[str, Any]

PAUSE = 1.0  # seconds before a cluster that does not answer is asked again


class Creation:
    """Begins at once. `pod` gives the pod when it is there; `undo` removes what there is, and ends the waiting.

    `warned` is told what is to be said of the cluster. One that does not answer is waited for a while if it has
    answered before, and by who is `patient` in any case: another may have its address wrong.
    """

    def __init__(
        self, cluster: Cluster, plan: PodPlan, warned: Callable[[str], None], *, patient: bool = False
    ) -> None:
        self._cluster = cluster
        self._client = cluster.client
        self._plan = plan
        self._warned = warned
        self._patient = patient
        self._places: list[str] = []  # the paths of what may be in the cluster
        self._ending = False
        self._task = asyncio.create_task(self._make())

    async def pod(self) -> Object:
        """The new pod. ApiError when it is refused, Unreachable when the cluster stays away."""
        return await asyncio.shield(self._task)

    async def settled(self) -> None:
        """Waits until nothing more is made."""
        self._ending = True
        await asyncio.wait([self._task])

    async def undo(self, grace: int | None) -> None:
        """Deletes the pod; what it owns goes with it."""
        await self.settled()
        owned = self._task.exception() is None  # the Secret, which goes with its pod
        for place in reversed(self._places):
            pod = "/pods/" in place
            if pod or not owned:
                await self._cluster.remove(place, grace=grace if pod else None)
        self._places.clear()

    async def _make(self) -> Object:
        """Secret and pod. The pod owns the Secret, so neither outlives the other."""
        plan = self._plan
        base = f"/api/v1/namespaces/{plan.namespace}"
        if plan.secret is not None:
            await self._create(f"{base}/secrets", plan.secret)
        pod = await self._create(f"{base}/pods", plan.pod)
        if plan.secret is not None:
            owner = {"apiVersion": "v1", "kind": "Pod", "name": plan.name, "uid": pod["metadata"]["uid"]}
            await self._client.patch(
                f"{base}/secrets/{plan.secret['metadata']['name']}", {"metadata": {"ownerReferences": [owner]}}
            )
        return pod

    async def _create(self, path: str, body: Object) -> Object:
        place = f"{path}/{body['metadata']['name']}"
        self._places.append(place)  # at once: what got no answer may have been made
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                return await self._client.create(path, body, warned=self._warned)
            except ApiError as error:
                if error.code < 500:
                    self._places.remove(place)
                raise
            except Unreachable as error:
                late = asyncio.get_running_loop().time() > deadline
                if late or self._ending or not (self._patient or self._client.answered):
                    raise
                self._warned(f"it does not answer, and is asked again for {PATIENCE:g}s: {error}")
                await asyncio.sleep(PAUSE)
