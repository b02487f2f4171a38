"""One container of a pod over all its runs: image, creation, start, supervision, restart.

`ContainerWorker.run` reads as the container's life. What goes wrong on the way is a waiting reason and an
Event, as Kubernetes words them, and another try after a while.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from shipline.cluster.api.names import timestamp
from shipline.cluster.errors import ContainerEngineError
from shipline.cluster.events import NORMAL, WARNING
from shipline.cluster.kubelet import creation, hooks, probes, request, security, stopping, termination
from shipline.cluster.kubelet.backoff import Backoff, Grace, in_words
from shipline.cluster.kubelet.context import Node
from shipline.cluster.kubelet.environment import ConfigurationError, environment
from shipline.cluster.kubelet.images import ImageUnavailable
from shipline.cluster.kubelet.probes import Prober
from shipline.cluster.kubelet.projection import VolumeError
from shipline.cluster.kubelet.runtime import Found
from shipline.cluster.kubelet.sandbox import Sandbox, create_named
from shipline.cluster.kubelet.security import SecurityError
from shipline.cluster.kubelet.state import ContainerState
from shipline.cluster.kubelet.volumes import PodVolumes

Json = dict[str, Any]
log = logging.getLogger(__name__)

_RETRY = 10.0  # seconds between tries of what only another object can mend
_LONG_RUN = 600.0  # after which a failure counts as a first one
_SHOWN_AS_ENDED = 30.0  # of a back-off, before it is shown as one


class ContainerWorker:
    """Owns one `ContainerState`; `changed` is called whenever it has changed.

    Life: `run` once; `stop` at any time ends it, gracefully where it runs. After a restart of the kubelet
    `adopt` is called first.
    """

    def __init__(
        self,
        node: Node,
        pod: Callable[[], Json],
        state: ContainerState,
        volumes: PodVolumes,
        changed: Callable[[], None],
    ) -> None:
        self.state = state
        self._node = node
        self._pod = pod
        self._volumes = volumes
        self._changed = changed
        self._stopping = False
        self._adopted = False
        self._redefined = False
        self.started = asyncio.Event()
        self._image_backoff = Backoff()
        self._restart_backoff = Backoff(eager=True)
        self._kills: set[asyncio.Task[None]] = set()
        self.running = asyncio.Event()
        self._body: Json = {}
        self._stops_with = ""
        self._sandbox: Sandbox | None = None

    def adopt(self, found: Found | None, remembered: Json) -> None:
        """Take over from an earlier kubelet: what the pod's status says, and the newest container found."""
        if remembered:
            self.state.remember(remembered)
        if found is None or (self.state.terminated and self.state.id == found.id):
            return
        self.state.attempt, self.state.id = found.attempt, found.id
        if found.state == "created":
            self.state.id = ""
        else:
            if found.state in ("exited", "dead"):
                self._node.runtime.expect(found.id).set()
            since = ((remembered.get("state") or {}).get("running") or {}).get("startedAt") or timestamp()
            self.state.runs(since)
            same = remembered.get("containerID") == f"docker://{found.id}"
            self.state.ready = same and bool(remembered.get("ready"))
            self.state.started = self._adopted = same and bool(remembered.get("started"))
            self._redefined = found.labels.get("shipline.spec") != request.spec_hash(self.state.spec)

    async def run(self, sandbox: Sandbox, up: asyncio.Event) -> None:
        """Live until there is no more restart. `up` is set once the sandbox runs."""
        self._sandbox = sandbox
        if self.state.terminated and not self._restarts():
            return
        if not self.state.running and self.state.terminated:
            await self._back_off()
        while True:
            if not self.state.running:
                await self._bring_up(sandbox, up)
            if self.state.running:
                await self._supervise(sandbox)
            if not self._restarts():
                return
            await self._back_off()

    async def begun(self, whole: asyncio.Task[None]) -> None:
        """Wait until it has started, or never will: `whole` is the task of `run`."""
        started = asyncio.create_task(self.started.wait())
        try:
            await asyncio.wait({started, whole}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            started.cancel()

    # Bringing it up

    async def _bring_up(self, sandbox: Sandbox, up: asyncio.Event) -> None:
        while True:
            try:
                image = await self._node.images.obtain(self._pod(), self.state.spec, self._tell, self._tell_pod)
                self._image_backoff.reset()
                variables = environment(
                    self._node.api, self._pod(), self.state.spec, self._node.circumstances(sandbox.address)
                )
                await self._create(sandbox, up, image, variables)
                await up.wait()
                if await self._start(sandbox):
                    return
            except ImageUnavailable as error:
                await self._without_image(error)
                continue
            except (ConfigurationError, SecurityError, VolumeError) as error:
                await self._refused("CreateContainerConfigError", str(error))
                continue
            except ContainerEngineError as error:
                await self._refused("CreateContainerError", error.message)
                continue
            if not self._restarts():
                return
            await self._back_off()

    async def _create(self, sandbox: Sandbox, up: asyncio.Event, image: Json, variables: dict[str, str]) -> None:
        state = self.state
        self._body, paths = creation.prepare(
            self._node, self._pod(), state, self._volumes, sandbox=sandbox.id, image=image, variables=variables
        )
        if paths:
            await up.wait()
            await creation.make_directories(self._node, sandbox.id, paths)
        state.id = await create_named(self._node.engine, self._container_name(), self._body)
        self._stops_with = (image.get("Config") or {}).get("StopSignal") or "SIGTERM"
        state.image, state.image_id = self._node.images.shown(state.spec["image"], image)
        self._tell(NORMAL, "Created", "Container created")

    def _container_name(self) -> str:
        return creation.name(self._node.facts.cluster, self._pod(), self.state)

    async def _start(self, sandbox: Sandbox) -> bool:
        """Start the created container; False when the engine could not."""
        state, runtime = self.state, self._node.runtime
        runtime.expect(state.id)
        try:
            await self._node.engine.post(f"containers/{state.id}/start")
        except ContainerEngineError as error:
            if self._body["HostConfig"].get("Privileged") and security.privileged_refused(error.message):
                return await self._start_without_privileged(sandbox)
            self._failed_to_start(error.message)
            return False
        self._tell(NORMAL, "Started", "Container started")
        handler = (state.spec.get("lifecycle") or {}).get("postStart")
        if handler:
            try:
                await hooks.run(handler, self._node.engine, state.id, self._prober())
            except hooks.HookError as error:
                self._tell(WARNING, "FailedPostStartHook", f"PostStartHook failed: {error}")
                self._tell(NORMAL, "Killing", "FailedPostStartHook")
                await runtime.kill(state.id, "SIGKILL")
        state.runs(timestamp())
        self.running.set()
        self._changed()
        return True

    async def _start_without_privileged(self, sandbox: Sandbox) -> bool:
        """The engine may not give all capabilities: give all the others, now and from now on."""
        log.info("the engine refuses --privileged; giving every capability that it has one by one")
        self._node.grants_privileged = False
        self._body["HostConfig"] = security.without_privileged(self._body["HostConfig"])
        self.state.id = await create_named(self._node.engine, self._container_name(), self._body)
        return await self._start(sandbox)

    def _failed_to_start(self, message: str) -> None:
        state = self.state
        self._tell(WARNING, "Failed", f"Error: {message}")
        ended = termination.start_error(state.id, message)
        state.ended(ended)
        if self._restarts():
            state.waits("RunContainerError", message)
        self._changed()

    async def _without_image(self, error: ImageUnavailable) -> None:
        name = self.state.spec["image"]
        self._tell(WARNING, "Failed", f"Error: {error.reason}")
        delay = _RETRY
        if error.reason == "ErrImagePull":
            delay = self._image_backoff.next()
            self._tell(NORMAL, "BackOff", f'Back-off pulling image "{name}"')
            self._tell(WARNING, "Failed", "Error: ImagePullBackOff")
            if delay > 2 * _RETRY:
                error = ImageUnavailable(
                    "ImagePullBackOff", f'Back-off pulling image "{name}": ErrImagePull: {error}'
                )
        self.state.waits(error.reason, str(error))
        self._changed()
        await asyncio.sleep(delay)

    async def _refused(self, reason: str, message: str) -> None:
        self._tell(WARNING, "Failed", f"Error: {message}")
        self.state.waits(reason, message)
        self._changed()
        await asyncio.sleep(_RETRY)

    # While it runs

    async def _supervise(self, sandbox: Sandbox) -> None:
        """Probe it until it has ended, and set down how it ended."""
        state = self.state
        self.running.set()
        self.started.clear()
        prober = self._prober()
        watched = {kind: state.spec[field] for kind, field in probes.KINDS.items() if state.spec.get(field)}
        if self._adopted:  # it goes on as it was: started, and ready or not until a probe says otherwise
            self._adopted = False
            watched.pop("startup", None)
            self.started.set()
        elif "startup" not in watched:
            self._begin(watched)
        tasks = [
            asyncio.create_task(probes.watch(kind, probe, prober, self.started, self))
            for kind, probe in watched.items()
        ]
        if self._redefined:
            self.redefine(state.spec)
        try:
            ended = await self._node.runtime.ended(state.id)
        finally:
            for task in tasks:
                task.cancel()
        self.running.clear()
        state.ended(await termination.describe(self._node, self._volumes, sandbox, state, ended))
        self._changed()

    def _begin(self, watched: Json) -> None:
        self.state.started = True
        self.state.ready = "readiness" not in watched
        self.started.set()
        self._changed()

    def probe_failed(self, kind: str, text: str) -> None:
        """Tell of it, unless the container is on its way out anyway."""
        ending = self._stopping or self._kills
        if not ending or kind == "readiness":
            self._tell(WARNING, "Unhealthy", f"{kind.capitalize()} probe failed: {text}")

    def probe_decided(self, kind: str, success: bool) -> None:
        """Ready or not; started; or to be killed."""
        state = self.state
        if not state.running:
            return
        if kind == "readiness":
            if state.ready != success:
                state.ready = success
                self._changed()
        elif kind == "startup" and success:
            self._begin({"readiness": 1} if state.spec.get("readinessProbe") else {})
        elif not success and not self._stopping and not self._kills:
            self._tell(NORMAL, "Killing", f"Container {state.name} failed {kind} probe, will be restarted")
            seconds = (state.spec.get(probes.KINDS[kind]) or {}).get("terminationGracePeriodSeconds")
            self._kill_soon(seconds)

    def redefine(self, spec: Json) -> None:
        """The pod wants another image: this run ends and the next follows, whatever the restart policy."""
        self.state.spec, self._redefined = spec, True
        if self.state.running and not self._kills:
            self._tell(NORMAL, "Killing", f"Container {self.state.name} definition changed, will be restarted")
            self._kill_soon(None)

    def _kill_soon(self, seconds: int | None) -> None:
        grace = self._pod()["spec"].get("terminationGracePeriodSeconds", 30) if seconds is None else seconds
        task = asyncio.create_task(self._end(Grace(grace)))
        self._kills.add(task)
        task.add_done_callback(self._kills.discard)

    # The end

    async def lost(self, sandbox: Sandbox | None) -> None:
        """Its sandbox has ended, and it with it."""
        if sandbox is not None:
            ended = await self._node.runtime.exit(self.state.id)
            described = await termination.describe(self._node, self._volumes, sandbox, self.state, ended)
            self.state.ended(described)
            self._changed()

    def _restarts(self) -> bool:
        """Whether another run follows the one that has ended."""
        if self._stopping:
            return False
        if self._redefined or self.state.sidecar:
            return True
        policy = self._pod()["spec"].get("restartPolicy", "Always")
        if self.state.init:
            return policy != "Never" and not self.state.succeeded
        return policy == "Always" or (policy == "OnFailure" and not self.state.succeeded)

    async def _back_off(self) -> None:
        """Wait as long as the failures so far demand, then count one more attempt."""
        state = self.state
        if termination.lasted(state.terminated or state.last) > _LONG_RUN:
            self._restart_backoff.reset()
        delay = 0.0 if self._redefined else self._restart_backoff.next()
        self._redefined = False
        if delay:
            metadata = self._pod()["metadata"]
            full = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
            self._tell(WARNING, "BackOff", f"Back-off restarting failed container {state.name} in pod {full}")
            await asyncio.sleep(min(delay, _SHOWN_AS_ENDED))
            if delay > _SHOWN_AS_ENDED:
                text = f"back-off {in_words(delay)} restarting failed container={state.name} pod={full}"
                state.waits("CrashLoopBackOff", text)
                self._changed()
                await asyncio.sleep(delay - _SHOWN_AS_ENDED)
        before = (state.last or {}).get("containerID", "").removeprefix("docker://")
        if before and before != state.id:
            await self._node.runtime.remove(before)
        state.attempt += 1

    async def stop(self, grace: Grace, whole: asyncio.Task[None] | None) -> None:
        """End it: `whole` is the task of `run`. What runs is asked to end and, out of grace, killed."""
        self._stopping = True
        if self.state.running:
            self._tell(NORMAL, "Killing", f"Stopping container {self.state.name}")
            await stopping.withdraw(self._node, self._pod(), grace)
            await self._end(grace)
        elif whole is not None:
            whole.cancel()
        if whole is not None:
            await asyncio.wait({whole}, timeout=10)

    async def _end(self, grace: Grace) -> None:
        await stopping.end(self._node, self.state, self._stops_with, grace, self._prober(), self._tell)

    # Words

    def _prober(self) -> Prober:
        """At the pod's address. What an earlier kubelet left may have to end before its sandbox is known."""
        known = (self._pod().get("status") or {}).get("podIP", "")
        address = self._sandbox.address if self._sandbox else known
        return Prober(self._node.engine, self._node.reach, address, self.state.id, self.state.spec)

    def _tell(self, type: str, reason: str, message: str) -> None:
        field = "initContainers" if self.state.init else "containers"
        self._node.recorder.event(self._pod(), type, reason, message, f"spec.{field}{{{self.state.name}}}")

    def _tell_pod(self, type: str, reason: str, message: str) -> None:
        self._node.recorder.event(self._pod(), type, reason, message)
