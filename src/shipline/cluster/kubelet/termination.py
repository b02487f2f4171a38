"""How a container ended, in the words of its status, with the message it left behind."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shipline.cluster.api.names import timestamp
from shipline.cluster.engine import unframed
from shipline.cluster.errors import ContainerEngineError
from shipline.cluster.kubelet.context import Node
from shipline.cluster.kubelet.runtime import Exit
from shipline.cluster.kubelet.sandbox import Sandbox
from shipline.cluster.kubelet.state import ContainerState
from shipline.cluster.kubelet.volumes import PodVolumes

Json = dict[str, Any]

_LONGEST_MESSAGE = 4096
_FROM_LOG = 2048
_LINES_FROM_LOG = 80
_EPOCH = "1970-01-01T00:00:00Z"


def start_error(container: str, message: str) -> Json:
    """The end of a container that the engine could not start."""
    return {
        "exitCode": 128,
        "reason": "StartError",
        "message": message,
        "startedAt": _EPOCH,
        "finishedAt": timestamp(),
        "containerID": f"docker://{container}",
    }


async def describe(node: Node, volumes: PodVolumes, sandbox: Sandbox, state: ContainerState, ended: Exit) -> Json:
    """The content of `state.terminated`; empties the message for the next run."""
    reason = "OOMKilled" if ended.out_of_memory else "Error" if ended.code else "Completed"
    terminated: Json = {
        "exitCode": ended.code,
        "reason": reason,
        "startedAt": ended.started_at or state.running_since or _EPOCH,
        "finishedAt": ended.finished_at or timestamp(),
        "containerID": f"docker://{state.id}",
    }
    message = ended.error or await _message(node, volumes, sandbox, state)
    if not message and ended.code and state.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
        message = await _tail(node, state.id)
    if message:
        terminated["message"] = message
    return terminated


async def _message(node: Node, volumes: PodVolumes, sandbox: Sandbox, state: ContainerState) -> str:
    inside, outside = volumes.termination_file(state.name)
    if node.engine.local:
        try:
            content = outside.read_bytes()
            if content:
                outside.write_bytes(b"")
            return _text(content)
        except OSError:  # only root may look into the engine's directory
            pass
    try:
        _, content = await node.engine.execute(sandbox.id, ["sh", "-c", 'cat "$0"; : >"$0"', inside])
    except ContainerEngineError:  # the sandbox has gone, and the message with it
        return ""
    return _text(content)


def _text(content: bytes) -> str:
    return content[:_LONGEST_MESSAGE].decode(errors="replace")


async def _tail(node: Node, container: str) -> str:
    """The end of the log, at most 80 lines and 2 KiB of it."""
    path = f"containers/{container}/logs?stdout=1&stderr=1&tail={_LINES_FROM_LOG}"
    try:
        async with node.engine.response(path) as response:
            text = b"".join([part async for part in unframed(response.content.iter_any())])
    except ContainerEngineError:
        return ""
    return text[-_FROM_LOG:].decode(errors="replace")


def lasted(terminated: Json | None) -> float:
    """How long an ended container ran, in seconds."""
    if not terminated or terminated["startedAt"] == _EPOCH:
        return 0.0
    began, ended = (datetime.fromisoformat(terminated[field]) for field in ("startedAt", "finishedAt"))
    return (ended - began).total_seconds()
