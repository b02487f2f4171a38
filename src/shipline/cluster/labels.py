"""The labels by which a cluster knows what it made, on containers, networks and volumes alike."""

from __future__ import annotations

CLUSTER = "shipline.cluster"
ROLE = "shipline.role"
POD_UID = "shipline.pod.uid"
POD_NAMESPACE = "shipline.pod.namespace"
POD_NAME = "shipline.pod.name"
CONTAINER = "shipline.container"
ATTEMPT = "shipline.attempt"
SPEC = "shipline.spec"

# Values of ROLE.
NODE, SANDBOX, APPLICATION = "node", "sandbox", "container"


def of_cluster(name: str) -> str:
    """The filter that finds everything of one cluster."""
    return f"{CLUSTER}={name}"
