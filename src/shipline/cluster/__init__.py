"""An embedded single-node Kubernetes on a container engine.

API server, controllers, kubelet, service proxy and DNS, for one machine: development, demonstrations and
tests. Knows nothing of pipelines; could be published alone. `start` gives the path of a kubeconfig.
"""

from __future__ import annotations

from shipline.cluster.config import ClusterConfig, Registry
from shipline.cluster.errors import ClusterError
from shipline.cluster.start import ClusterStatus, clusters, delete, start, status, stop

__all__ = [
    "ClusterConfig",
    "ClusterError",
    "ClusterStatus",
    "Registry",
    "clusters",
    "delete",
    "start",
    "status",
    "stop",
]
