"""The cluster's own kinds as rows: Nodes, Namespaces, Leases, bindings of roles."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.tables.columns import AGE, NAME, NONE, UNKNOWN, Column, Layout, age, wide

Json = dict[str, Any]

_ROLE_LABEL = "node-role.kubernetes.io/"


def _node(node: Json) -> list[Any]:
    status = node.get("status") or {}
    info = status.get("nodeInfo") or {}
    ready = next((c for c in status.get("conditions") or () if c["type"] == "Ready"), None)
    word = "Unknown" if ready is None else "Ready" if ready["status"] == "True" else "NotReady"
    if (node.get("spec") or {}).get("unschedulable"):
        word += ",SchedulingDisabled"
    labels = node["metadata"].get("labels") or {}
    roles = {key.removeprefix(_ROLE_LABEL) for key in labels if key.startswith(_ROLE_LABEL)}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    addresses = {a["type"]: a["address"] for a in reversed(status.get("addresses") or ())}
    kernel = info.get("kernelVersion") or UNKNOWN
    if info.get("architecture"):
        kernel += f" ({info['architecture']})"
    return [
        node["metadata"]["name"],
        word,
        ",".join(sorted(filter(None, roles))) or NONE,
        age(node),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        info.get("osImage") or UNKNOWN,
        kernel,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _namespace(namespace: Json) -> list[Any]:
    phase = (namespace.get("status") or {}).get("phase", "")
    return [namespace["metadata"]["name"], phase, age(namespace)]


def _lease(lease: Json) -> list[Any]:
    return [lease["metadata"]["name"], (lease.get("spec") or {}).get("holderIdentity", ""), age(lease)]


def _role_binding(binding: Json) -> list[Any]:
    users, groups, accounts = [], [], []
    for subject in binding.get("subjects") or ():
        match subject["kind"]:
            case "User":
                users.append(subject["name"])
            case "Group":
                groups.append(subject["name"])
            case "ServiceAccount":
                accounts.append(f"{subject.get('namespace', '')}/{subject['name']}".lstrip("/"))
    role = f"{binding['roleRef']['kind']}/{binding['roleRef']['name']}"
    subjects = (", ".join(users), ", ".join(groups), ", ".join(accounts))
    return [binding["metadata"]["name"], role, age(binding), *subjects]


_BINDING = Layout((NAME, Column("Role"), AGE, *wide("Users", "Groups", "ServiceAccounts")), _role_binding)

LAYOUTS = {
    "nodes": Layout(
        (
            NAME,
            Column("Status"),
            Column("Roles"),
            AGE,
            Column("Version"),
            *wide("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"),
        ),
        _node,
    ),
    "namespaces": Layout((NAME, Column("Status"), AGE), _namespace),
    "leases.coordination.k8s.io": Layout((NAME, Column("Holder"), AGE), _lease),
    "rolebindings.rbac.authorization.k8s.io": _BINDING,
    "clusterrolebindings.rbac.authorization.k8s.io": _BINDING,
}
