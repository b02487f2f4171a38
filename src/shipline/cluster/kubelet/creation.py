"""From a container's spec to the request that creates it, with everything that only this node knows."""

from __future__ import annotations

from typing import Any

from shipline.cluster.kubelet import probes, request, security
from shipline.cluster.kubelet.context import Node
from shipline.cluster.kubelet.environment import ConfigurationError
from shipline.cluster.kubelet.resources import unsupported
from shipline.cluster.kubelet.state import ContainerState
from shipline.cluster.kubelet.volumes import PodVolumes

Json = dict[str, Any]


def prepare(
    node: Node,
    pod: Json,
    state: ContainerState,
    volumes: PodVolumes,
    *,
    sandbox: str,
    image: Json,
    variables: dict[str, str],
) -> tuple[Json, list[str]]:
    """The engine's request, and the sandbox paths that have to exist before the container starts.

    `image` is the engine's description. Raises ConfigurationError, SecurityError or VolumeError for what cannot
    be honoured.
    """
    spec = state.spec
    if lacking := unsupported(spec):
        raise ConfigurationError(f"this node has no {', '.join(lacking)}")
    if any("grpc" in (spec.get(field) or {}) for field in probes.KINDS.values()):
        raise ConfigurationError("gRPC probes are not supported by this cluster")
    binds, paths = volumes.binds(spec, variables)
    body = request.container(
        pod,
        spec,
        attempt=state.attempt,
        facts=node.facts,
        sandbox_id=sandbox,
        image=image,
        variables=variables,
        binds=binds,
    )
    if body["HostConfig"].get("Privileged") and not node.grants_privileged:
        body["HostConfig"] = security.without_privileged(body["HostConfig"])
    return body, paths


async def make_directories(node: Node, sandbox: str, paths: list[str]) -> None:
    """Make the directories that subPaths name, writable for all as the volume itself; what is there stays."""
    script = 'for d; do [ -e "$d" ] || mkdir -p -m 0777 "$d"; done'
    await node.engine.execute(sandbox, ["sh", "-c", script, "sh", *paths])


def name(cluster: str, pod: Json, state: ContainerState) -> str:
    """The engine's name of one run of a container."""
    metadata = pod["metadata"]
    parts = ("shipline", cluster, metadata["namespace"], metadata["name"], metadata["uid"][:8])
    return f"{'_'.join(parts)[:200]}_{state.name}_{state.attempt}"
