"""Lifecycle hooks: what runs right after a container has started, and before it is told to stop."""

from __future__ import annotations

import asyncio
from typing import Any

from shipline.cluster.engine import ContainerEngine
from shipline.cluster.errors import ContainerEngineError
from shipline.cluster.kubelet.probes import Failure, Prober

Json = dict[str, Any]


class HookError(Exception):
    """A hook has failed; the text is for its Event."""


async def run(handler: Json, engine: ContainerEngine, container: str, prober: Prober) -> None:
    """Run one handler (exec, httpGet, tcpSocket or sleep) to its end. Raises HookError."""
    if "sleep" in handler:
        await asyncio.sleep(handler["sleep"]["seconds"])
        return
    try:
        if "exec" in handler:
            command = handler["exec"]["command"]
            code, output = await engine.execute(container, command)
            if code:
                said = output.decode(errors="replace")
                raise HookError(f"command '{' '.join(command)}' exited with {code}: {said}, message: {said!r}")
            return
        await prober.run(handler | {"timeoutSeconds": 30})
    except (Failure, ContainerEngineError) as error:
        raise HookError(str(error)) from None
