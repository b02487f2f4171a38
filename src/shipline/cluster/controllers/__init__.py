"""The controllers: each keeps one promise of the API by watching what is and doing what is missing.

A file holds one controller; `loop` is what they share, a queue of keys fed by watches. They know the `Api`
alone: no container engine and no HTTP. Nothing here runs on a timer unless an object says so, so an idle
cluster costs nothing.
"""

from __future__ import annotations

import asyncio

from shipline.cluster.api.machinery import Api

__all__ = ["run_all"]


async def run_all(api: Api, authority: str, host: str) -> None:
    """Run every controller until cancelled.

    `authority` is the certificate (PEM) by which pods know the API server; `host` is the name that the
    scheduler signs its Events with.
    """
    from shipline.cluster.controllers.deployment import DeploymentController
    from shipline.cluster.controllers.endpoints import EndpointsController, EndpointsMirror
    from shipline.cluster.controllers.endpointslices import EndpointSliceController
    from shipline.cluster.controllers.garbage import GarbageCollector
    from shipline.cluster.controllers.namespaces import NamespaceController
    from shipline.cluster.controllers.nodes import NodeController
    from shipline.cluster.controllers.podgarbage import PodGarbage
    from shipline.cluster.controllers.replicaset import ReplicaSetController
    from shipline.cluster.controllers.scheduler import Scheduler
    from shipline.cluster.controllers.serviceaccounts import NamespaceFurniture, TokenSecrets
    from shipline.cluster.events import expire

    loops = (
        NamespaceController(api).loop(),
        NamespaceFurniture(api, authority).loop(),
        Scheduler(api, host).loop(),
        EndpointSliceController(api).loop(),
        EndpointsController(api).loop(),
        EndpointsMirror(api).loop(),
        ReplicaSetController(api).loop(),
        DeploymentController(api).loop(),
        GarbageCollector(api).loop(),
        NodeController(api).loop(),
        PodGarbage(api).loop(),
        TokenSecrets(api).loop(),
    )
    async with asyncio.TaskGroup() as tasks:
        for loop in loops:
            tasks.create_task(loop.run(), name=loop.name)
        tasks.create_task(expire(api), name="events")
