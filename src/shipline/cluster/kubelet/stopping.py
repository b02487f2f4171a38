"""How a running container is brought to its end: turned away from, asked, waited for, and killed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from shipline.cluster.engine import ContainerEngine
from shipline.cluster.errors import ContainerEngineError
from shipline.cluster.events import WARNING
from shipline.cluster.kubelet import hooks
from shipline.cluster.kubelet.backoff import Grace
from shipline.cluster.kubelet.context import Node
from shipline.cluster.kubelet.images import Tell
from shipline.cluster.kubelet.probes import Prober
from shipline.cluster.kubelet.state import ContainerState

Json = dict[str, Any]

_WITHDRAWAL = 2.0  # seconds at most that a container is kept for Services to turn away from it
_AFTER_HOOK = 2.0  # seconds that are left at least when a hook has taken its time
_GONE = 10.0  # seconds at most until a killed container is seen to have ended


async def withdraw(node: Node, pod: Json, grace: Grace) -> None:
    """Let the requests that are under way find the application alive: no new ones come after this."""
    address = (pod.get("status") or {}).get("podIP")
    leaving = pod["metadata"].get("deletionTimestamp")
    if node.withdrawn is None or not address or not leaving:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(min(_WITHDRAWAL, grace.left)):
            await node.withdrawn(address)


async def end(node: Node, state: ContainerState, signal: str, grace: Grace, prober: Prober, tell: Tell) -> None:
    """Hook, signal, patience, and the kill that cannot be refused. `signal` is the image's, empty where it is not
    known; `prober` runs the hook."""
    runtime = node.runtime
    ended = runtime.expect(state.id)
    handler = (state.spec.get("lifecycle") or {}).get("preStop")
    if handler and grace.left > 0:
        await _run_hook(hooks.run(handler, node.engine, state.id, prober), grace, tell)
        if grace.left < _AFTER_HOOK:
            grace = Grace(_AFTER_HOOK)
    if grace.left > 0 and not ended.is_set():
        await runtime.kill(state.id, signal or await _signal_of(node.engine, state.id))
        await grace.wait(ended)
    if not ended.is_set():
        await runtime.kill(state.id, "SIGKILL")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GONE):
                await ended.wait()


async def _run_hook(run: Coroutine[Any, Any, None], grace: Grace, tell: Tell) -> None:
    """Run a hook as long as there is time for it."""
    hook = asyncio.ensure_future(run)
    done = asyncio.Event()
    hook.add_done_callback(lambda _: done.set())
    if not await grace.wait(done):
        hook.cancel()
    elif (error := hook.exception()) is not None:
        tell(WARNING, "FailedPreStopHook", f"PreStopHook failed: {error}")


async def _signal_of(engine: ContainerEngine, container: str) -> str:
    """The signal that a container's image wants to be stopped with."""
    try:
        described = await engine.get(f"containers/{container}/json")
    except ContainerEngineError:
        return "SIGTERM"
    return str((described.get("Config") or {}).get("StopSignal") or "SIGTERM")
