"""What a new cluster holds before anyone asks: its namespaces and the default roles."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.call import Call
from shipline.cluster.api.machinery import Api

Json = dict[str, Any]

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_RBAC = "rbac.authorization.k8s.io"
_CALL = Call(manager="kube-apiserver")
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_ALL = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_CORE = ["configmaps", "endpoints", "pods", "secrets", "serviceaccounts", "services"]
_CORE_VISIBLE = ["configmaps", "endpoints", "events", "namespaces", "pods", "pods/log", "pods/status", "services"]
_STREAMS = ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy"]
_WORKLOADS = ["deployments", "deployments/scale", "replicasets", "replicasets/scale"]


def bootstrap(api: Api) -> None:
    """Make what is missing."""
    for name in NAMESPACES:
        _ensure(api, "namespaces", None, {"metadata": {"name": name}})
    for name, rules in _cluster_roles().items():
        role = {"metadata": {"name": name, "labels": _LABELS}, "rules": rules}
        _ensure(api, f"clusterroles.{_RBAC}", None, role)
    for name, role_name, groups in (
        ("cluster-admin", "cluster-admin", ["system:masters"]),
        ("system:basic-user", "system:basic-user", ["system:authenticated"]),
        ("system:discovery", "system:discovery", ["system:authenticated"]),
        (
            "system:public-info-viewer",
            "system:public-info-viewer",
            ["system:authenticated", "system:unauthenticated"],
        ),
        (
            "system:service-account-issuer-discovery",
            "system:service-account-issuer-discovery",
            ["system:serviceaccounts"],
        ),
    ):
        _ensure(api, f"clusterrolebindings.{_RBAC}", None, _binding(name, role_name, groups))


def _ensure(api: Api, resource: str, namespace: str | None, obj: Json) -> None:
    if api.look_up(resource, namespace, obj["metadata"]["name"]) is None:
        api.create(resource, namespace, obj, _CALL)


def _binding(name: str, role: str, groups: list[str]) -> Json:
    subjects = [{"kind": "Group", "apiGroup": _RBAC, "name": group} for group in groups]
    reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role}
    return {"metadata": {"name": name, "labels": _LABELS}, "subjects": subjects, "roleRef": reference}


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> Json:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _cluster_roles() -> dict[str, list[Json]]:
    """Kubernetes' default roles, as far as they speak of what is served."""
    view = [
        _rule([""], [*_CORE_VISIBLE, "serviceaccounts"], _READ),
        _rule(["apps"], _WORKLOADS, _READ),
        _rule(["discovery.k8s.io"], ["endpointslices"], _READ),
    ]
    edit = [
        *view,
        _rule([""], [*_STREAMS, "secrets"], _READ),
        _rule([""], [*_CORE, *_STREAMS, "events"], _WRITE),
        _rule([""], ["pods/eviction", "serviceaccounts/token"], ["create"]),
        _rule([""], ["serviceaccounts"], ["impersonate"]),
        _rule(["apps"], _WORKLOADS, _WRITE),
        _rule(["coordination.k8s.io"], ["leases"], _ALL),
    ]
    admin = [
        *edit,
        _rule(["authorization.k8s.io"], ["localsubjectaccessreviews"], ["create"]),
        _rule([_RBAC], ["roles", "rolebindings"], _ALL),
    ]
    everything = [_rule(["*"], ["*"], ["*"]), {"nonResourceURLs": ["*"], "verbs": ["*"]}]
    basic = [
        _rule(["authorization.k8s.io"], ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
        _rule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"]),
    ]
    issuer = [
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/",
        "/openid/v1/jwks",
        "/openid/v1/jwks/",
    ]
    health = ["/healthz", "/livez"]
    versions = ["/readyz", "/version", "/version/"]
    discovery = ["/api", "/api/*", "/apis", "/apis/*", *health, "/openapi", "/openapi/*", *versions]
    return {
        "cluster-admin": everything,
        "admin": admin,
        "edit": edit,
        "view": view,
        "system:basic-user": basic,
        "system:discovery": [{"nonResourceURLs": discovery, "verbs": ["get"]}],
        "system:public-info-viewer": [{"nonResourceURLs": [*health, *versions], "verbs": ["get"]}],
        "system:service-account-issuer-discovery": [
            {"nonResourceURLs": ["/.well-known", "/.well-known/*", *issuer], "verbs": ["get"]}
        ],
    }
