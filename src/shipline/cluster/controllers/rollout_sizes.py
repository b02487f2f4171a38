"""How many pods each ReplicaSet of a Deployment should have next: pure arithmetic over their specs and statuses.

A rolling update keeps between `replicas - maxUnavailable` available pods and `replicas + maxSurge` pods in all.
"""

from __future__ import annotations

import math
from typing import Any

Json = dict[str, Any]

DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"


def replicas(obj: Json) -> int:
    """The number of pods that a Deployment or ReplicaSet asks for."""
    wanted = obj["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def counted(replicaset: Json, field: str) -> int:
    """A number of the ReplicaSet's status; what it doesn't say is 0."""
    return int((replicaset.get("status") or {}).get(field, 0))


def total(replicasets: list[Json]) -> int:
    """The pods that all of them ask for."""
    return sum(replicas(one) for one in replicasets)


def is_rolling(deployment: Json) -> bool:
    strategy = deployment["spec"].get("strategy") or {}
    return bool(strategy.get("type", "RollingUpdate") == "RollingUpdate")


def limits(deployment: Json) -> tuple[int, int]:
    """The surge and the unavailability allowed, in pods. They are never both 0: nothing could move then."""
    if not is_rolling(deployment):
        return 0, 0
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    wanted = replicas(deployment)
    surge = _pods(rolling.get("maxSurge", "25%"), wanted, math.ceil)
    unavailable = _pods(rolling.get("maxUnavailable", "25%"), wanted, math.floor)
    if not surge and not unavailable:
        unavailable = 1
    return surge, min(unavailable, wanted)


def _pods(limit: int | str, wanted: int, rounded: Any) -> int:
    """A limit, which may be a percentage of the pods wanted."""
    if isinstance(limit, str) and limit.endswith("%"):
        return int(rounded(int(limit[:-1]) * wanted / 100))
    return int(limit)


def most(deployment: Json) -> int:
    """The pods that there may be at once."""
    return replicas(deployment) + limits(deployment)[0]


def fewest_available(deployment: Json) -> int:
    """The pods that have to be available at any time."""
    return replicas(deployment) - limits(deployment)[1]


def new_size(deployment: Json, everyone: list[Json], present: int) -> int:
    """The next size of the new ReplicaSet, which asks for `present` pods now. `everyone` includes it if it
    exists."""
    wanted = replicas(deployment)
    if not is_rolling(deployment) or present > wanted:
        return wanted
    room = most(deployment) - total(everyone)
    return present + min(max(room, 0), wanted - present)


def old_sizes(deployment: Json, new: Json, old: list[Json]) -> dict[str, int]:
    """The next sizes of the old ReplicaSets by name, those that change alone.

    Pods that aren't available go first: nobody misses them. Then available ones, down to the fewest allowed.
    """
    old = sorted(old, key=_age)
    present = {one["metadata"]["name"]: replicas(one) for one in old}
    sizes = dict(present)
    if not any(sizes.values()):
        return {}
    least = fewest_available(deployment)
    new_missing = replicas(new) - counted(new, "availableReplicas")
    spare = total([*old, new]) - least - new_missing
    if spare <= 0:
        return {}
    for one in old:
        name = one["metadata"]["name"]
        broken = min(spare, max(sizes[name] - counted(one, "availableReplicas"), 0))
        sizes[name] -= broken
        spare -= broken
    spare = sum(counted(one, "availableReplicas") for one in [*old, new]) - least
    for one in old:
        name = one["metadata"]["name"]
        fewer = min(max(spare, 0), sizes[name])
        sizes[name] -= fewer
        spare -= fewer
    return {name: size for name, size in sizes.items() if size != present[name]}


def is_saturated(deployment: Json, replicaset: Json) -> bool:
    """Whether the ReplicaSet has all the pods of the Deployment, all of them available."""
    wanted = replicas(deployment)
    return (
        replicas(replicaset) == wanted
        and annotated(replicaset, DESIRED) == wanted
        and counted(replicaset, "availableReplicas") == wanted
    )


def annotated(replicaset: Json, name: str) -> int | None:
    """The number in an annotation; None where there is none."""
    text = (replicaset["metadata"].get("annotations") or {}).get(name, "")
    return int(text) if text.lstrip("-").isdigit() else None


def proportional_sizes(deployment: Json, active: list[Json]) -> dict[str, int]:
    """Sizes by name when a Deployment is scaled in the middle of a rollout: each ReplicaSet takes its share, the
    largest takes what rounding leaves over."""
    allowed = most(deployment) if replicas(deployment) > 0 else 0
    to_add = allowed - total(active)
    newest_first = sorted(active, key=_age, reverse=to_add >= 0)
    ordered = sorted(newest_first, key=lambda one: -replicas(one))
    added = 0
    sizes = {}
    for one in ordered:
        share = _share(deployment, one, to_add, added)
        sizes[one["metadata"]["name"]] = replicas(one) + share
        added += share
    if ordered and to_add:
        first = ordered[0]["metadata"]["name"]
        sizes[first] = max(sizes[first] + to_add - added, 0)
    return sizes


def _share(deployment: Json, replicaset: Json, to_add: int, added: int) -> int:
    size = replicas(replicaset)
    if size == 0 or to_add == added:
        return 0
    if replicas(deployment) == 0:
        fraction = -size
    else:
        before = annotated(replicaset, MAXIMUM) or int((deployment.get("status") or {}).get("replicas", 0))
        if not before:
            return 0
        fraction = math.floor(size * most(deployment) / before + 0.5) - size
    left = to_add - added
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def _age(obj: Json) -> tuple[str, str]:
    return obj["metadata"]["creationTimestamp"], obj["metadata"]["name"]
