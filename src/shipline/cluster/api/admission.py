"""What the cluster adds to an object, and what it doesn't let in, before validation sees it.

Namespaces that are missing or going away take nothing new; pods get their service account, its token volume,
its pull secrets, tolerations and priority.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shipline.cluster.api.errors import ApiError, forbidden
from shipline.cluster.api.names import random_end
from shipline.cluster.api.resources import Resource

Json = dict[str, Any]
Lookup = Callable[[str, str | None, str], Json | None]

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
IMMORTAL = ("default", "kube-public", "kube-system")


def admit_create(resource: Resource, obj: Json, lookup: Lookup) -> None:
    """Complete a new object in place. `lookup` reads (resource, namespace, name), None when absent."""
    if resource.namespaced:
        _namespace_takes(resource, obj, lookup)
    if resource.name == "pods":
        _pod(obj, lookup)


def admit_delete(resource: Resource, name: str) -> None:
    """Some namespaces are never deleted."""
    if resource.name == "namespaces" and name in IMMORTAL:
        raise forbidden("namespaces", name, "this namespace may not be deleted")


def _namespace_takes(resource: Resource, obj: Json, lookup: Lookup) -> None:
    name = obj["metadata"]["namespace"]
    namespace = lookup("namespaces", None, name)
    if namespace is None:
        raise ApiError(404, "NotFound", f'namespaces "{name}" not found', {"name": name, "kind": "namespaces"})
    if namespace["metadata"].get("deletionTimestamp"):
        why = f"unable to create new content in namespace {name} because it is being terminated"
        refusal = forbidden(resource.name, obj["metadata"].get("name", ""), why)
        cause = {"reason": "NamespaceTerminating", "message": f"namespace {name} is being terminated"}
        refusal.details = {**(refusal.details or {}), "causes": [{**cause, "field": "metadata.namespace"}]}
        raise refusal


def _pod(pod: Json, lookup: Lookup) -> None:
    spec = pod["spec"]
    _service_account(pod, lookup)
    if spec.get("priorityClassName"):
        why = f"no PriorityClass with name {spec['priorityClassName']} was found"
        raise forbidden("pods", pod["metadata"].get("name", ""), why)
    if spec.get("runtimeClassName"):
        why = f'pod rejected: RuntimeClass "{spec["runtimeClassName"]}" not found'
        raise forbidden("pods", pod["metadata"].get("name", ""), why)
    spec["priority"] = 0
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = spec.setdefault("tolerations", [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(_tolerates(toleration, key) for toleration in tolerations):
            tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})


def _tolerates(toleration: Json, key: str) -> bool:
    return bool(toleration.get("key", key) == key and toleration.get("effect", "NoExecute") == "NoExecute")


def _service_account(pod: Json, lookup: Lookup) -> None:
    spec, metadata = pod["spec"], pod["metadata"]
    name = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    account = lookup("serviceaccounts", metadata["namespace"], name)
    if account is None:
        why = f'error looking up service account {metadata["namespace"]}/{name}: serviceaccount "{name}" not found'
        raise forbidden("pods", metadata.get("name", ""), why)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(secret) for secret in account["imagePullSecrets"]]
    mount = spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True))
    if mount:
        _mount_token(spec)


def _mount_token(spec: Json) -> None:
    """Mount the token in each container that doesn't mount something there itself."""
    needy = [
        container
        for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
        if all(m.get("mountPath") != TOKEN_PATH for m in container.get("volumeMounts") or ())
    ]
    if not needy:
        return
    volumes = spec.setdefault("volumes", [])
    volume = next((v["name"] for v in volumes if v["name"].startswith("kube-api-access-")), None)
    if volume is None:
        volume = f"kube-api-access-{random_end()}"
        volumes.append(_token_volume(volume))
    for container in needy:
        container.setdefault("volumeMounts", []).append({"name": volume, "readOnly": True, "mountPath": TOKEN_PATH})


def _token_volume(name: str) -> Json:
    namespace = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": namespace}]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 420}}
