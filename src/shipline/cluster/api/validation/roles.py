"""Roles and their bindings."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.validation.causes import Causes

Json = dict[str, Any]

_GROUP = "rbac.authorization.k8s.io"


def check_role(causes: Causes, role: Json) -> None:
    """A Role: rules on resources alone."""
    _rules(causes, role, namespaced=True)


def check_cluster_role(causes: Causes, role: Json) -> None:
    """A ClusterRole: paths that are no resources too."""
    _rules(causes, role, namespaced=False)
    if role.get("aggregationRule"):
        causes.forbidden("aggregationRule", "this cluster does not aggregate roles")


def _rules(causes: Causes, role: Json, namespaced: bool) -> None:
    for index, rule in enumerate(role.get("rules") or ()):
        field = f"rules[{index}]"
        if not rule.get("verbs"):
            causes.required(f"{field}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            if namespaced:
                why = "namespaced rules cannot apply to non-resource URLs"
                causes.invalid(f"{field}.nonResourceURLs", rule["nonResourceURLs"], why)
            if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
                why = "rules cannot apply to both regular resources and non-resource URLs"
                causes.invalid(f"{field}.nonResourceURLs", rule["nonResourceURLs"], why)
            continue
        if not rule.get("apiGroups"):
            causes.required(f"{field}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            causes.required(f"{field}.resources", "resource rules must supply at least one resource")


def check_binding(causes: Causes, binding: Json) -> None:
    """A RoleBinding."""
    _binding(causes, binding, ("ClusterRole", "Role"))


def check_cluster_binding(causes: Causes, binding: Json) -> None:
    """A ClusterRoleBinding."""
    _binding(causes, binding, ("ClusterRole",))


def _binding(causes: Causes, binding: Json, kinds: tuple[str, ...]) -> None:
    reference = binding["roleRef"]
    if reference.get("apiGroup") != _GROUP:
        causes.unsupported("roleRef.apiGroup", reference.get("apiGroup", ""), (_GROUP,))
    if reference.get("kind") not in kinds:
        causes.unsupported("roleRef.kind", reference.get("kind", ""), kinds)
    if not reference.get("name"):
        causes.required("roleRef.name")
    for index, subject in enumerate(binding.get("subjects") or ()):
        field = f"subjects[{index}]"
        if not subject.get("name"):
            causes.required(f"{field}.name")
        match subject.get("kind"):
            case "ServiceAccount":
                if subject.get("apiGroup"):
                    causes.unsupported(f"{field}.apiGroup", subject["apiGroup"], ("",))
                if "ClusterRole" in kinds and len(kinds) == 1 and not subject.get("namespace"):
                    causes.required(f"{field}.namespace")
            case "User" | "Group":
                if subject.get("apiGroup") != _GROUP:
                    causes.unsupported(f"{field}.apiGroup", subject.get("apiGroup", ""), (_GROUP,))
            case other:
                causes.unsupported(f"{field}.kind", other or "", ("Group", "ServiceAccount", "User"))


def check_binding_change(causes: Causes, new: Json, old: Json) -> None:
    """A binding stays with its role."""
    if new["roleRef"] != old["roleRef"]:
        causes.invalid("roleRef", new["roleRef"], "cannot change roleRef")
