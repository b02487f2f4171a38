"""Who may do what: role-based access control, from the Roles and bindings in the cluster itself.

Members of system:masters may do anything. All others may do what some rule of some role that is bound to them
allows; nothing forbids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from shipline.cluster.api.call import User
from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.store import Store

Json = dict[str, Any]

MASTERS = "system:masters"
_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Attributes:
    """An action to judge. `path` is set for paths that are no resource, and then the rest but `verb` is empty."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def combined(self) -> str:
        """`pods`, `pods/exec`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def allows(store: Store, user: User, wanted: Attributes) -> bool:
    """Whether the user may do it."""
    return reason(store, user, wanted) is not None


def reason(store: Store, user: User, wanted: Attributes) -> str | None:
    """Why the user may do it: "" for the masters, else the binding in words; None when they may not."""
    if MASTERS in user.groups:
        return ""
    for rule, why in rules(store, user, wanted.namespace):
        if covers(rule, wanted):
            return why
    return None


def rules(store: Store, user: User, namespace: str) -> Iterator[tuple[Json, str]]:
    """Each rule that holds for the user in a namespace ("": in the whole cluster), with the binding in words."""
    for stored in store.select(f"clusterrolebindings.{_RBAC}"):
        yield from _bound(store, user, stored.obj, "ClusterRoleBinding", None)
    if namespace:
        for stored in store.select(f"rolebindings.{_RBAC}", namespace):
            yield from _bound(store, user, stored.obj, "RoleBinding", namespace)


def _bound(store: Store, user: User, binding: Json, kind: str, namespace: str | None) -> Iterator[tuple[Json, str]]:
    subject = next((s for s in binding.get("subjects") or () if _is(s, user, namespace)), None)
    if subject is None:
        return
    reference, metadata = binding["roleRef"], binding["metadata"]
    place = None if reference["kind"] == "ClusterRole" else namespace
    plural = "clusterroles" if reference["kind"] == "ClusterRole" else "roles"
    role = store.look_up(f"{plural}.{_RBAC}", place, reference["name"])
    name = metadata["name"] if namespace is None else f"{metadata['name']}/{namespace}"
    who = subject["name"]
    if subject["kind"] == "ServiceAccount":
        who += f"/{subject.get('namespace')}"
    bound = f'{kind} "{name}" of {reference["kind"]} "{reference["name"]}"'
    why = f'RBAC: allowed by {bound} to {subject["kind"]} "{who}"'
    for rule in (role or {}).get("rules") or ():
        yield rule, why


def _is(subject: Json, user: User, namespace: str | None) -> bool:
    kind, name = subject.get("kind"), subject.get("name")
    if kind == "User":
        return bool(name == user.name)
    if kind == "Group":
        return name in user.groups
    home = subject.get("namespace") or namespace
    return kind == "ServiceAccount" and user.name == f"system:serviceaccount:{home}:{name}"


def covers(rule: Json, wanted: Attributes) -> bool:
    """Whether one rule allows the action."""
    if not _any(rule.get("verbs"), wanted.verb):
        return False
    if wanted.path:
        return any(_path(pattern, wanted.path) for pattern in rule.get("nonResourceURLs") or ())
    if not _any(rule.get("apiGroups"), wanted.group):
        return False
    named = rule.get("resourceNames")
    if named and wanted.name not in named:
        return False
    resources = rule.get("resources") or ()
    return any(
        pattern in ("*", wanted.combined) or (wanted.subresource and pattern == f"*/{wanted.subresource}")
        for pattern in resources
    )


def _any(patterns: Iterable[str] | None, value: str) -> bool:
    return any(pattern in ("*", value) for pattern in patterns or ())


def _path(pattern: str, path: str) -> bool:
    return pattern == path or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


def refusal(user: User, wanted: Attributes) -> ApiError:
    """403, in the words that kubectl shows."""
    if wanted.path:
        message = f'forbidden: User "{user.name}" cannot {wanted.verb} path "{wanted.path}"'
        return ApiError(403, "Forbidden", message, {})
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    qualified = f"{wanted.resource}.{wanted.group}" if wanted.group else wanted.resource
    named = f' "{wanted.name}"' if wanted.name else ""
    details: Json = {"name": wanted.name} if wanted.name else {}
    if wanted.group:
        details["group"] = wanted.group
    details["kind"] = wanted.resource
    message = (
        f'{qualified}{named} is forbidden: User "{user.name}" cannot {wanted.verb} resource '
        f'"{wanted.combined}" in API group "{wanted.group}" {where}'
    )
    return ApiError(403, "Forbidden", message, details)
