"""Deployments and ReplicaSets as rows."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.tables.columns import AGE, NAME, Column, Layout, age, selector, wide

Json = dict[str, Any]

_CONTAINERS = wide("Containers", "Images", "Selector")


def _containers(obj: Json) -> list[str]:
    containers = obj["spec"]["template"]["spec"].get("containers") or ()
    names = ",".join(container["name"] for container in containers)
    images = ",".join(container.get("image", "") for container in containers)
    return [names, images, selector(obj["spec"].get("selector"))]


def _deployment(deployment: Json) -> list[Any]:
    status = deployment.get("status") or {}
    return [
        deployment["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{deployment['spec'].get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(deployment),
        *_containers(deployment),
    ]


def _replica_set(replica_set: Json) -> list[Any]:
    status = replica_set.get("status") or {}
    return [
        replica_set["metadata"]["name"],
        replica_set["spec"].get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(replica_set),
        *_containers(replica_set),
    ]


def _scale(scale: Json) -> list[Any]:
    return [
        scale["metadata"]["name"],
        scale["spec"].get("replicas", 0),
        scale["status"].get("replicas", 0),
        age(scale),
    ]


LAYOUTS = {
    "scales.autoscaling": Layout((NAME, Column("Desired", "integer"), Column("Available", "integer"), AGE), _scale),
    "deployments.apps": Layout(
        (
            NAME,
            Column("Ready", description="Ready pods, of those wanted."),
            Column("Up-to-date", description="Pods of the newest template."),
            Column("Available", description="Pods ready for long enough."),
            AGE,
            *_CONTAINERS,
        ),
        _deployment,
    ),
    "replicasets.apps": Layout(
        (NAME, *(Column(name, "integer") for name in ("Desired", "Current", "Ready")), AGE, *_CONTAINERS),
        _replica_set,
    ),
}
