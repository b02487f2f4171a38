"""Nobody gives away rights that they don't have: through a role they write, or one that they bind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shipline.cluster.api import authz
from shipline.cluster.api.authz import Attributes
from shipline.cluster.api.call import User
from shipline.cluster.api.errors import forbidden
from shipline.cluster.api.resources import Resource
from shipline.cluster.api.store import Store

Json = dict[str, Any]

_GROUP = "rbac.authorization.k8s.io"


def check_granted(store: Store, user: User, resource: Resource, obj: Json) -> None:
    """ApiError 403 when a role or binding holds more than the user has and may not `escalate` or `bind`."""
    if authz.MASTERS in user.groups:
        return
    namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"].get("name", "")
    if "roleRef" in obj:
        rules, verb, plural, named = _referred(store, obj)
    else:
        rules, verb, plural, named = obj.get("rules") or [], "escalate", resource.plural, name
    if authz.allows(store, user, Attributes(verb, _GROUP, plural, "", namespace, named)):
        return
    own = [rule for rule, _ in authz.rules(store, user, namespace)]
    missing = [right for rule in rules for right in _rights(rule) if not any(authz.covers(o, right) for o in own)]
    if missing:
        groups = " ".join(f'"{group}"' for group in user.groups)
        why = (
            f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n'
        )
        raise forbidden(resource.name, name, why + "\n".join(sorted({_words(right) for right in missing})))


def _referred(store: Store, binding: Json) -> tuple[list[Json], str, str, str]:
    reference = binding["roleRef"]
    plural = "clusterroles" if reference.get("kind") == "ClusterRole" else "roles"
    place = None if plural == "clusterroles" else binding["metadata"].get("namespace")
    role = store.look_up(f"{plural}.{_GROUP}", place, reference.get("name", "")) or {}
    return role.get("rules") or [], "bind", plural, reference.get("name", "")


def _rights(rule: Json) -> Iterator[Attributes]:
    """A rule's single rights."""
    for verb in rule.get("verbs") or ():
        for path in rule.get("nonResourceURLs") or ():
            yield Attributes(verb, path=path)
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                plural, _, sub = resource.partition("/")
                for name in rule.get("resourceNames") or ("",):
                    yield Attributes(verb, group, plural, sub, "", name)


def _words(right: Attributes) -> str:
    if right.path:
        return f'{{NonResourceURLs:["{right.path}"], Verbs:["{right.verb}"]}}'
    named = f', ResourceNames:["{right.name}"]' if right.name else ""
    return f'{{APIGroups:["{right.group}"], Resources:["{right.combined}"]{named}, Verbs:["{right.verb}"]}}'
