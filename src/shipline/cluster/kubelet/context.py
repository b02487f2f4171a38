"""What every pod's worker needs of its node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from shipline.cluster.api.machinery import Api
from shipline.cluster.engine import ContainerEngine
from shipline.cluster.events import EventRecorder
from shipline.cluster.kubelet.environment import Circumstances
from shipline.cluster.kubelet.images import Images
from shipline.cluster.kubelet.projection import Sources, TokenIssuer
from shipline.cluster.kubelet.request import NodeFacts
from shipline.cluster.kubelet.runtime import Runtime
from shipline.cluster.kubelet.sandbox import NameService
from shipline.cluster.network.bridge import Bridge
from shipline.cluster.network.reach import Reach

Json = dict[str, Any]


@dataclass(slots=True)
class Node:
    """The parts of one node. `grants_privileged` turns False once the engine has refused --privileged."""

    api: Api
    engine: ContainerEngine
    runtime: Runtime
    images: Images
    recorder: EventRecorder
    facts: NodeFacts
    bridge: Bridge
    reach: Reach
    names: NameService
    issue_token: TokenIssuer
    allocatable: dict[str, str] = field(default_factory=dict)
    grants_privileged: bool = True
    withdrawn: Callable[[str], Awaitable[None]] | None = None
    """Waits until Services lead nobody new to a pod's address."""

    def circumstances(self, address: str) -> Circumstances:
        """What the fields of a pod with that address cannot say."""
        return Circumstances(address, self.bridge.node, self.allocatable)

    def sources(self, address: str) -> Sources:
        """Where a pod's rendered volumes come from."""
        return Sources(self.api, self.issue_token, self.circumstances(address))
