"""What ends a pod over its containers' heads: its deadline, and emptyDirs on disk that outgrow their sizeLimit."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from shipline.cluster.engine import ContainerEngine
from shipline.cluster.errors import ContainerEngineError
from shipline.cluster.events import NORMAL, WARNING
from shipline.cluster.kubelet.sandbox import Sandbox
from shipline.cluster.kubelet.status import Verdict
from shipline.cluster.kubelet.volumes import PodVolumes

Json = dict[str, Any]
# Ends the pod; the second argument is the Event's type.
Condemn = Callable[[Verdict, str], Awaitable[None]]

_LOOK_EVERY = 10.0
_DEADLINE = "Pod was active on the node longer than the specified deadline"


async def watch_time(pod: Callable[[], Json], condemn: Condemn) -> None:
    """Condemn the pod when it has been active for as long as it may; `pod` gives its newest version."""
    while True:
        left = _left(pod())
        if left is not None and left <= 0:
            break
        await asyncio.sleep(1 if left is None else min(left, 1))
    await condemn(Verdict("DeadlineExceeded", _DEADLINE), NORMAL)


def _left(pod: Json) -> float | None:
    """Seconds until the deadline; None without one or before the pod began."""
    seconds = pod["spec"].get("activeDeadlineSeconds")
    began = (pod.get("status") or {}).get("startTime")
    if seconds is None or began is None:
        return None
    return float(datetime.fromisoformat(began).timestamp() + seconds - datetime.now(UTC).timestamp())


async def watch_size(
    engine: ContainerEngine, sandbox: Callable[[], Sandbox | None], pod: Json, volumes: PodVolumes, condemn: Condemn
) -> None:
    """Condemn the pod when one of its directories has outgrown its limit."""
    while any("sizeLimit" in (volume.get("emptyDir") or {}) for volume in pod["spec"].get("volumes") or []):
        await asyncio.sleep(_LOOK_EVERY)
        present = sandbox()
        text = await _overgrown(engine, present.id, pod, volumes) if present and present.id else ""
        if text:
            await condemn(Verdict("Evicted", text), WARNING)
            return


async def _overgrown(engine: ContainerEngine, sandbox: str, pod: Json, volumes: PodVolumes) -> str:
    """What to say of the first emptyDir that is larger than its limit, "" when none is."""
    limits = volumes.limited()
    if not limits:
        return ""
    try:
        _, output = await engine.execute(sandbox, ["du", "-sk", *limits])
    except ContainerEngineError:
        return ""
    for line in output.decode(errors="replace").splitlines():
        size, _, path = line.partition("\t")
        if size.isdigit() and int(size) * 1024 > limits.get(path, 1 << 62):
            name = posixpath.basename(path)
            volume = next(one for one in pod["spec"]["volumes"] if one["name"] == name)
            return f'Usage of EmptyDir volume "{name}" exceeds the limit "{volume["emptyDir"]["sizeLimit"]}". '
    return ""
