"""What makes an object invalid, kind by kind, in Kubernetes' words.

Each kind's file collects causes; `create` and `update` raise them all as one ApiError 422.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shipline.cluster.api.errors import invalid
from shipline.cluster.api.resources import Resource
from shipline.cluster.api.validation import configuration, events, pods, roles, services, workloads
from shipline.cluster.api.validation.causes import Causes
from shipline.cluster.api.validation.metadata import check_metadata, check_metadata_update

Json = dict[str, Any]

_RBAC = "rbac.authorization.k8s.io"
_CHECKS: dict[str, Callable[[Causes, Json], None]] = {
    "configmaps": configuration.check_config_map,
    "secrets": configuration.check_secret,
    "services": services.check_service,
    "endpointslices.discovery.k8s.io": services.check_endpoint_slice,
    "pods": pods.check_pod,
    "deployments.apps": workloads.check_deployment,
    "replicasets.apps": workloads.check_replica_set,
    "events": events.check_event,
    f"roles.{_RBAC}": roles.check_role,
    f"clusterroles.{_RBAC}": roles.check_cluster_role,
    f"rolebindings.{_RBAC}": roles.check_binding,
    f"clusterrolebindings.{_RBAC}": roles.check_cluster_binding,
}
_CHANGES: dict[str, Callable[[Causes, Json, Json], None]] = {
    "configmaps": configuration.check_config_map_change,
    "secrets": configuration.check_secret_change,
    "services": services.check_service_change,
    "endpointslices.discovery.k8s.io": services.check_endpoint_slice_change,
    "pods": pods.check_pod_change,
    "deployments.apps": workloads.check_selector_change,
    "replicasets.apps": workloads.check_selector_change,
    f"rolebindings.{_RBAC}": roles.check_binding_change,
    f"clusterrolebindings.{_RBAC}": roles.check_binding_change,
}


def create(resource: Resource, obj: Json) -> None:
    """Refuse an invalid new object."""
    causes = Causes()
    check_metadata(causes, resource, obj["metadata"])
    check = _CHECKS.get(resource.name)
    if check is not None:
        check(causes, obj)
    _refuse(resource, obj, causes)


def update(resource: Resource, new: Json, old: Json, subresource: str | None) -> None:
    """Refuse an invalid change. A change of status alone is checked for its metadata only."""
    causes = Causes()
    check_metadata_update(causes, new["metadata"], old["metadata"])
    check_metadata(causes, resource, new["metadata"])
    if subresource in (None, "scale"):
        change, check = _CHANGES.get(resource.name), _CHECKS.get(resource.name)
        workload = resource.group == "apps"  # the order of causes is Kubernetes' own
        if change is not None and not workload:
            change(causes, new, old)
        if check is not None and new.get("spec", new) != old.get("spec", old):
            check(causes, new)
        if change is not None and workload:
            change(causes, new, old)
    _refuse(resource, new, causes)


def _refuse(resource: Resource, obj: Json, causes: Causes) -> None:
    if causes.found:
        raise invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), causes.found)
