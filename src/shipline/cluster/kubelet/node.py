"""The Node object: what the machine has, that it is well, and the Lease that says so every ten seconds."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.api.names import micro_timestamp, timestamp
from shipline.cluster.engine import ContainerEngine
from shipline.cluster.events import NORMAL, WARNING, EventRecorder
from shipline.cluster.network.bridge import Bridge

Json = dict[str, Any]

VERSION = "v1.36.2"
_LEASE_SECONDS = 40
_RENEW_EVERY = 10.0
_RESERVED_MEMORY = 100 * 1024  # KiB, as the kubelet keeps for itself
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "arm"}
_CGROUP_V1 = (
    "cgroup v1 detected. cgroup v1 support is deprecated and will be removed in a future release. "
    "Please migrate to cgroup v2. More information at "
    "https://git.k8s.io/enhancements/keps/sig-node/5573-remove-cgroup-v1"
)
_HEALTHY = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


def node_object(name: str, engine: Json, bridge: Bridge) -> Json:
    """The Node, from the engine's description of its host."""
    architecture = _ARCHITECTURES.get(engine.get("Architecture", ""), engine.get("Architecture", ""))
    capacity, allocatable = resources(engine)
    labels = {"arch": architecture, "os": "linux"}
    return {
        "metadata": {
            "name": name,
            "labels": {
                **{f"beta.kubernetes.io/{key}": value for key, value in labels.items()},
                **{f"kubernetes.io/{key}": value for key, value in labels.items()},
                "kubernetes.io/hostname": name,
            },
            "annotations": {
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        },
        "spec": {"podCIDR": str(bridge.pods), "podCIDRs": [str(bridge.pods)]},
        "status": {
            "capacity": capacity,
            "allocatable": allocatable,
            "addresses": [
                {"type": "InternalIP", "address": bridge.node},
                {"type": "Hostname", "address": name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": str(engine.get("ID", "")).replace(":", "").lower(),
                "systemUUID": str(engine.get("ID", "")),
                "bootID": "",
                "kernelVersion": engine.get("KernelVersion", ""),
                "osImage": engine.get("OperatingSystem", ""),
                "containerRuntimeVersion": f"docker://{engine.get('ServerVersion', '')}",
                "kubeletVersion": VERSION,
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": architecture,
            },
        },
    }


def resources(engine: Json) -> tuple[dict[str, str], dict[str, str]]:
    """Capacity and allocatable of the engine's host."""
    memory = int(engine.get("MemTotal", 0)) // 1024
    capacity = {
        "cpu": str(engine.get("NCPU", 1)),
        "memory": f"{memory}Ki",
        "pods": "110",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
    }
    if disk := _disk(engine.get("DockerRootDir", "")):
        capacity["ephemeral-storage"] = f"{disk // 1024}Ki"
    return capacity, capacity | {"memory": f"{max(0, memory - _RESERVED_MEMORY)}Ki"}


def _disk(root: str) -> int:
    """The size of the disk that the engine's directory is on, 0 where it isn't on this machine."""
    try:
        found = os.statvfs(root)
    except OSError:
        return 0
    return found.f_blocks * found.f_frsize


def _is_ready(node: Json) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


class NodeHeart:
    """Registers the Node and keeps its Lease and conditions beating."""

    def __init__(
        self,
        api: Api,
        engine: ContainerEngine,
        name: str,
        bridge: Bridge,
        recorder: EventRecorder,
        trouble: Callable[[], str],
    ) -> None:
        """`trouble` says why the node cannot run pods now, "" when it can."""
        self._trouble = trouble
        self._api = api
        self._engine = engine
        self._name = name
        self._bridge = bridge
        self._recorder = recorder

    def register(self) -> None:
        """Make the Node, or bring an existing one up to date; Ready."""
        wanted = node_object(self._name, self._engine.info, self._bridge)
        about = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": self._name}}
        self._recorder.event(about, NORMAL, "Starting", "Starting kubelet.")
        if str(self._engine.info.get("CgroupVersion", "2")) == "1":
            self._recorder.event(about, WARNING, "CgroupV1", _CGROUP_V1)
        for reason in ("NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"):
            self._recorder.event(about, NORMAL, reason, f"Node {self._name} status is now: {reason}")
        self._recorder.event(about, NORMAL, "NodeAllocatableEnforced", "Updated Node Allocatable limit across pods")
        with contextlib.suppress(ApiError):
            self._api.create("nodes", None, wanted)
        node = self._api.get("nodes", None, self._name)
        node["metadata"].setdefault("labels", {}).update(wanted["metadata"]["labels"])
        node["spec"] = wanted["spec"] | (node.get("spec") or {})
        node = self._api.update("nodes", None, node)
        node["status"] = wanted["status"]
        self._beat(node)
        self._recorder.event(about, NORMAL, "NodeReady", f"Node {self._name} status is now: NodeReady")
        self._recorder_of_proxy().event(about, NORMAL, "Starting", "", action="StartKubeProxy")

    def _recorder_of_proxy(self) -> EventRecorder:
        return EventRecorder(self._api, "kube-proxy", self._name)

    def _beat(self, node: Json) -> None:
        before = {one["type"]: one for one in (node.get("status") or {}).get("conditions") or []}
        now = timestamp()
        conditions = list(_HEALTHY)
        if trouble := self._trouble():
            conditions[-1] = ("Ready", "False", "KubeletNotReady", f"container runtime is down: {trouble}")
        since = {
            kind: before[kind]["lastTransitionTime"] if before.get(kind, {}).get("status") == status else now
            for kind, status, _, _ in conditions
        }
        node.setdefault("status", {})["conditions"] = [
            {
                "type": kind,
                "status": status,
                "lastHeartbeatTime": now,
                "lastTransitionTime": since[kind],
                "reason": reason,
                "message": message,
            }
            for kind, status, reason, message in conditions
        ]
        self._api.update_status("nodes", None, node)

    async def run(self) -> None:
        """Renew the Lease every ten seconds for ever; the conditions every five minutes, and at once when
        the node was given up in between (a machine that slept, an engine that hung)."""
        beats = 0
        while True:
            self._renew()
            with contextlib.suppress(ApiError):
                node = self._api.get("nodes", None, self._name)
                if beats % 30 == 29 or _is_ready(node) == bool(self._trouble()):
                    self._beat(node)
            beats += 1
            await asyncio.sleep(_RENEW_EVERY)

    def _renew(self) -> None:
        namespace = "kube-node-lease"
        spec = {
            "holderIdentity": self._name,
            "leaseDurationSeconds": _LEASE_SECONDS,
            "renewTime": micro_timestamp(),
        }
        with contextlib.suppress(ApiError):
            try:
                lease = self._api.get("leases.coordination.k8s.io", namespace, self._name)
            except ApiError:
                node = self._api.get("nodes", None, self._name)
                owner = {"apiVersion": "v1", "kind": "Node", "name": self._name, "uid": node["metadata"]["uid"]}
                metadata = {"name": self._name, "ownerReferences": [owner]}
                self._api.create("leases.coordination.k8s.io", namespace, {"metadata": metadata, "spec": spec})
                return
            lease["spec"] = spec
            self._api.update("leases.coordination.k8s.io", namespace, lease)
