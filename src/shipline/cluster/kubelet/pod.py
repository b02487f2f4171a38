"""One pod, from the moment it is bound to this node to its removal.

`PodWorker.run` reads as the pod's life: sandbox, init containers one after the other, containers side by side,
the end. Deletion, a deadline or the loss of the sandbox interrupt it from outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from shipline.cluster import labels
from shipline.cluster.api.errors import ApiError
from shipline.cluster.errors import ClusterError, ContainerEngineError
from shipline.cluster.events import NORMAL, WARNING
from shipline.cluster.kubelet import limits, request
from shipline.cluster.kubelet.backoff import Grace
from shipline.cluster.kubelet.container import ContainerWorker
from shipline.cluster.kubelet.context import Node
from shipline.cluster.kubelet.projection import VolumeError, token_lifetime
from shipline.cluster.kubelet.runtime import Found
from shipline.cluster.kubelet.sandbox import Sandbox, SandboxError
from shipline.cluster.kubelet.state import ContainerState
from shipline.cluster.kubelet.status import Verdict, report
from shipline.cluster.kubelet.tasks import all_ended, ended
from shipline.cluster.kubelet.unhonoured import tell_unhonoured
from shipline.cluster.kubelet.volumes import PodVolumes

Json = dict[str, Any]
log = logging.getLogger(__name__)

_RETRY = 2.0
_CLEANINGS = 20


class PodWorker:
    """Makes one pod true. `run` is its life; `update` brings newer versions of the object, `gone` the last word."""

    def __init__(self, node: Node, pod: Json, found: Sequence[Found]) -> None:
        self._node = node
        self.pod = pod
        self._uid: str = pod["metadata"]["uid"]
        spec = pod["spec"]
        prefix = f"shipline-{node.facts.cluster}-{self._uid}"
        self._volumes = PodVolumes(node.engine, pod, prefix, request.pod_labels(node.facts.cluster, pod))
        self._init = [self._worker(one, init=True) for one in spec.get("initContainers") or []]
        self._containers = [self._worker(one, init=False) for one in spec["containers"]]
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sandbox: Sandbox | None = None
        self._up = asyncio.Event()
        self._deleted = asyncio.Event()
        self._stale = asyncio.Event()
        self._grace: Grace | None = None
        self._verdict: Verdict | None = None
        self._removed = False
        self._writing = False
        self._finished = False
        self._filled = False
        self._living: asyncio.Task[None]
        self._found_sandbox = self._adopt(found)

    def _worker(self, spec: Json, init: bool) -> ContainerWorker:
        reason = "PodInitializing" if not init and self.pod["spec"].get("initContainers") else "ContainerCreating"
        state = ContainerState(spec, init, waiting=(reason, ""))
        return ContainerWorker(self._node, lambda: self.pod, state, self._volumes, self.changed)

    @property
    def workers(self) -> list[ContainerWorker]:
        """All containers' workers, init containers first."""
        return [*self._init, *self._containers]

    @property
    def sandbox(self) -> Sandbox | None:
        """The pod's sandbox while it has one."""
        return self._sandbox

    def _adopt(self, found: Sequence[Found]) -> Found | None:
        status = self.pod.get("status") or {}
        remembered = {
            one["name"]: one
            for field in ("initContainerStatuses", "containerStatuses")
            for one in status.get(field) or []
        }
        for worker in self.workers:
            mine = [one for one in found if one.labels.get(labels.CONTAINER) == worker.state.name]
            newest = max(mine, key=lambda one: one.attempt, default=None)
            worker.adopt(newest, remembered.get(worker.state.name, {}))
        sandboxes = [one for one in found if one.labels.get(labels.ROLE) == labels.SANDBOX]
        self._filled = bool(sandboxes)
        return next((one for one in sandboxes if one.state == "running"), None)

    # From outside

    def update(self, pod: Json) -> None:
        """A newer version of the object."""
        before, self.pod = self.pod, pod
        metadata = pod["metadata"]
        if metadata.get("deletionTimestamp"):
            seconds = metadata.get("deletionGracePeriodSeconds", 30)
            if self._grace is None:
                self._grace = Grace(seconds)
            elif seconds < before["metadata"].get("deletionGracePeriodSeconds", seconds):
                self._grace.shorten(seconds)
            self._deleted.set()
            return
        if any(metadata.get(field) != before["metadata"].get(field) for field in ("labels", "annotations")):
            self.refresh()
        specs = {
            one["name"]: one for one in [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
        }
        for worker in self.workers:
            if worker.state.spec["image"] != specs[worker.state.name]["image"]:
                worker.redefine(specs[worker.state.name])
        if metadata.get("generation") != before["metadata"].get("generation"):
            self.changed()

    def gone(self) -> None:
        """The object has been removed by force."""
        self._removed = True
        self._grace = self._grace or Grace(0)
        self._grace.shorten(0)
        self._deleted.set()

    def refresh(self) -> None:
        """What rendered volumes are made of has changed."""
        self._stale.set()

    # Its life

    async def run(self) -> None:
        """Live, until the pod is gone from the node. Raises what nobody foresaw; another worker may go on then."""
        self.changed()
        tell_unhonoured(self._node.recorder, self.pod)
        lives = (
            self._live(),
            self._keep_fresh(),
            limits.watch_time(lambda: self.pod, self._condemn),
            limits.watch_size(self._node.engine, lambda: self._sandbox, self.pod, self._volumes, self._condemn),
        )
        tasks = [asyncio.create_task(one) for one in lives]
        self._living = tasks[0]
        deleted = asyncio.create_task(self._deleted.wait())
        try:
            await ended(deleted, tasks)
        finally:
            for task in (*tasks, deleted):
                task.cancel()
            await asyncio.wait({*tasks, deleted})
        assert self._grace is not None
        await self._stop(self._grace)
        self._write()
        if not self._removed:
            self._remove_object()
        await self._clean()

    def abandon(self) -> None:
        """Let go of everything without touching it, so that another worker can take it over."""
        for task in self._tasks.values():
            task.cancel()
        if self._sandbox is not None and self._sandbox.id:
            self._node.bridge.claim(self._sandbox.address)

    async def _live(self) -> None:
        phase = (self.pod.get("status") or {}).get("phase")
        if phase in ("Succeeded", "Failed"):
            self._finished = True
            return
        while True:
            sandbox = await self._sandbox_up()
            everything = asyncio.create_task(self._run_containers(sandbox))
            lost = asyncio.create_task(self._node.runtime.expect(sandbox.id).wait())
            try:
                await asyncio.wait({everything, lost}, return_when=asyncio.FIRST_COMPLETED)
                if everything.done():
                    everything.result()
                    break
            finally:
                everything.cancel()
                lost.cancel()
            self._node.recorder.event(
                self.pod, NORMAL, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created."
            )
            await self._lose_sandbox()
        await self._finish()

    async def _run_containers(self, sandbox: Sandbox) -> None:
        """Init containers in order, then all containers, until the last has ended for good."""
        for worker in self._init:
            task = self._start(worker, sandbox)
            if worker.state.sidecar:
                await worker.begun(task)
                continue
            await all_ended({task})
            if not worker.state.passed:
                return
        for worker in self._containers:
            self._start(worker, sandbox)
        await all_ended({self._tasks[worker.state.name] for worker in self._containers})

    def _start(self, worker: ContainerWorker, sandbox: Sandbox) -> asyncio.Task[None]:
        task = self._tasks.get(worker.state.name)
        if task is None or task.done():
            task = asyncio.create_task(worker.run(sandbox, self._up), name=worker.state.name)
            self._tasks[worker.state.name] = task
        return task

    async def _finish(self) -> None:
        """All containers have ended for good: nothing needs the sandbox any more."""
        await self._stop(Grace(self.pod["spec"].get("terminationGracePeriodSeconds", 30)))
        self._finished = True
        self._write()
        await self._drop_sandbox()
        self.changed()

    # The sandbox

    async def _sandbox_up(self) -> Sandbox:
        while True:
            try:
                return await self._try_sandbox()
            except VolumeError as error:
                text = f'MountVolume.SetUp failed for volume "{error.volume}" : {error}'
                self._node.recorder.event(self.pod, WARNING, "FailedMount", text)
                await self._drop_sandbox()
            except (SandboxError, ClusterError) as error:
                text = f"Failed to create pod sandbox: {error}"
                self._node.recorder.event(self.pod, WARNING, "FailedCreatePodSandBox", text)
                await self._drop_sandbox()
            self.changed()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RETRY):
                    await self._stale.wait()
            self._stale.clear()

    async def _try_sandbox(self) -> Sandbox:
        self._volumes.check(self._node.engine.local)
        await self._volumes.create()
        if self._found_sandbox is not None:
            return await self._take_over(self._found_sandbox)
        address = self._node.bridge.node if self.pod["spec"].get("hostNetwork") else self._node.bridge.allocate()
        self._sandbox = sandbox = Sandbox(self._node.engine, self.pod, self._volumes, address)
        rendered = self._volumes.render(self.pod, self._node.sources(address))
        await sandbox.create(self._node.facts)
        self._node.runtime.expect(sandbox.id)
        early = [] if self._init else [self._start(worker, sandbox) for worker in self._containers]
        try:
            await sandbox.start(rendered, self._node.names, fill=not self._filled)
        except BaseException:
            for task in early:
                task.cancel()
            raise
        self._filled = True
        self._up.set()
        self.changed()
        return sandbox

    async def _take_over(self, found: Found) -> Sandbox:
        """Go on with the sandbox that an earlier kubelet has made."""
        self._found_sandbox = None
        address = found.address or (self.pod.get("status") or {}).get("podIP", self._node.bridge.node)
        self._sandbox = sandbox = Sandbox(self._node.engine, self.pod, self._volumes, address)
        sandbox.id = found.id
        self._node.runtime.expect(found.id)
        self._up.set()
        rendered = self._volumes.render(self.pod, self._node.sources(address))
        if rendered:
            await sandbox.update(rendered)
        return sandbox

    async def _lose_sandbox(self) -> None:
        """The sandbox has ended under its containers: they end too, and start again in the next one."""
        self._up.clear()
        self.changed()
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        self._tasks.clear()
        for worker in self.workers:
            if worker.state.running:
                await self._node.runtime.kill(worker.state.id, "SIGKILL")
        for worker in self.workers:
            if worker.state.running:
                await worker.lost(self._sandbox)
        await self._drop_sandbox()

    async def _drop_sandbox(self) -> None:
        sandbox, self._sandbox = self._sandbox, None
        self._up.clear()
        if sandbox is None:
            return
        if sandbox.id:
            await self._node.runtime.remove(sandbox.id, networked=True)
        if sandbox.address != self._node.bridge.node:
            self._node.bridge.release(sandbox.address)

    # Limits

    async def _condemn(self, verdict: Verdict, type: str) -> None:
        """End the pod, whatever its containers do; `type` is that of the Event."""
        if self._finished or self._verdict is not None:
            return
        self._verdict = verdict
        self._node.recorder.event(self.pod, type, verdict.reason, verdict.message)
        self._write()
        self._living.cancel()  # nothing may start any more
        await asyncio.wait({self._living})
        await self._finish()

    async def _keep_fresh(self) -> None:
        """Render volumes anew when something they show has changed, and tokens before they expire."""
        life = token_lifetime(self.pod)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(life * 0.8 if life else None):
                    await self._up.wait()
                    await self._stale.wait()
            self._stale.clear()
            sandbox = self._sandbox
            if sandbox is None or not self._up.is_set():
                continue
            try:
                rendered = self._volumes.render(self.pod, self._node.sources(sandbox.address))
                if rendered:
                    await sandbox.update(rendered)
            except (VolumeError, SandboxError, ClusterError) as error:
                log.info("volumes of %s stay as they are: %s", self.pod["metadata"]["name"], error)

    # The end

    async def _stop(self, grace: Grace) -> None:
        """Containers first, side by side; then sidecars, the last one first."""
        plain = [worker for worker in self.workers if not worker.state.sidecar]
        sidecars = [worker for worker in reversed(self._init) if worker.state.sidecar]
        await asyncio.gather(*(worker.stop(grace, self._tasks.get(worker.state.name)) for worker in plain))
        for worker in sidecars:
            await worker.stop(grace, self._tasks.get(worker.state.name))

    def _remove_object(self) -> None:
        metadata = self.pod["metadata"]
        with contextlib.suppress(ApiError):
            self._node.api.delete(
                "pods", metadata["namespace"], metadata["name"], grace_period=0, preconditions={"uid": self._uid}
            )

    async def _clean(self) -> None:
        """Remove whatever the engine holds of the pod; a container whose creation was under way, too."""
        await self._drop_sandbox()
        for _ in range(_CLEANINGS):
            found = await self._node.runtime.containers()
            mine = [one for one in found if one.labels.get(labels.POD_UID) == self._uid]
            await asyncio.gather(*(self._node.runtime.remove(one.id, one.networked) for one in mine))
            try:
                await self._volumes.remove()
                return
            except ContainerEngineError:  # still in use by a container that is only just going
                await asyncio.sleep(_RETRY / 4)
        log.warning("volumes of pod %s could not be removed", self._uid)

    # Its status

    def changed(self) -> None:
        """Write the status soon, once for all changes of this moment."""
        if not self._writing:
            self._writing = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        self._writing = False
        if self._removed:
            return
        sandbox = self._sandbox if self._up.is_set() and not self._finished else None
        written = report(
            self._node.api,
            self.pod,
            [worker.state for worker in self._init],
            [worker.state for worker in self._containers],
            sandbox=sandbox is not None or self._found_sandbox is not None,
            addresses=(sandbox.address if sandbox else "", self._node.bridge.node),
            verdict=self._verdict,
        )
        if written is not None:
            self.pod = written
