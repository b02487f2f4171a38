"""Requests and limits in the engine's terms, and their sums as a pod's status shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shipline.cluster.kubelet import quantity

Json = dict[str, Any]

_PERIOD = 100_000  # microseconds, as the kernel's default
_LEAST_QUOTA = 1_000
# What the engine gives a container that asks for nothing. Kubernetes gives such a one far less, which it can
# afford in a cgroup of its own: here pods have the engine's other containers beside them.
_SHARES = 1024


def host_config(container: Json, quality: str) -> Json:
    """CPU shares and quota, memory, and how early the kernel may kill; `quality` is the pod's qosClass."""
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    cpu = requests.get("cpu", limits.get("cpu"))
    config: Json = {"CpuShares": _SHARES + (quantity.millicores(cpu) * _SHARES // 1000 if cpu is not None else 0)}
    if "cpu" in limits:
        config["CpuPeriod"] = _PERIOD
        config["CpuQuota"] = max(_LEAST_QUOTA, quantity.millicores(limits["cpu"]) * _PERIOD // 1000)
    if "memory" in limits:
        # The same for memory and swap: none of it is swap.
        config["Memory"] = config["MemorySwap"] = quantity.size(limits["memory"])
    # Guaranteed pods get no lower score than the engine's own: that takes a capability it may lack.
    config["OomScoreAdj"] = {"BestEffort": 1000, "Burstable": 500}.get(quality, 0)
    return config


def unsupported(container: Json) -> list[str]:
    """Resources asked for that the node does not have."""
    resources = container.get("resources") or {}
    asked = {*(resources.get("limits") or {}), *(resources.get("requests") or {})}
    return sorted(asked - {"cpu", "memory", "ephemeral-storage"})


def of_pod(spec: Json) -> tuple[Json, Json]:
    """(allocatedResources, resources) of a pod's status: what its containers ask for together."""
    containers = [
        *spec["containers"],
        *(one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"),
    ]
    requests = _sum((one.get("resources") or {}).get("requests") or {} for one in containers)
    limits = _sum((one.get("resources") or {}).get("limits") or {} for one in containers)
    together = {key: value for key, value in (("limits", limits), ("requests", requests)) if value}
    return requests, together


def _sum(amounts: Iterable[Json]) -> Json:
    gathered: dict[str, list[str]] = {}
    for one in amounts:
        for name, amount in one.items():
            gathered.setdefault(name, []).append(amount)
    return {
        name: quantity.total(values, name) if len(values) > 1 else values[0] for name, values in gathered.items()
    }
