"""The revisions of a Deployment: its ReplicaSets, told apart by their templates and numbered by annotations."""

from __future__ import annotations

import json
from typing import Any

from shipline.cluster.api.names import ALPHABET
from shipline.cluster.controllers.ownership import controller_reference
from shipline.cluster.controllers.rollout_sizes import DESIRED, MAXIMUM, most, replicas

Json = dict[str, Any]

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
HISTORY_LENGTH = 2000
"""The most characters of past revision numbers that are kept."""

OWN = (REVISION, HISTORY, DESIRED, MAXIMUM, "kubectl.kubernetes.io/last-applied-configuration")
"""Annotations that a ReplicaSet does not take over from its Deployment."""


def template_hash(template: Json, collisions: int) -> str:
    """The name part that stands for a template; equal templates give equal hashes in all times.

    32 bits of FNV-1a over the template's canonical JSON, written with letters that make no words.
    """
    text = json.dumps(_essence(template), sort_keys=True, separators=(",", ":"))
    if collisions:
        text += f"#{collisions}"
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(value))


def _essence(value: Any) -> Any:
    """A value without its empty parts, which mean the same as none."""
    if isinstance(value, dict):
        inner = {key: _essence(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item is not None and item != {} and item != []}
    return [_essence(item) for item in value] if isinstance(value, list) else value


def same_template(one: Json, other: Json) -> bool:
    """Whether two templates are equal, leaving the hash label aside."""
    return bool(_essence(_unhashed(one)) == _essence(_unhashed(other)))


def _unhashed(template: Json) -> Json:
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH_LABEL}
    return {**template, "metadata": {**metadata, "labels": labels}}


def find_new(deployment: Json, replicasets: list[Json]) -> Json | None:
    """The ReplicaSet with the Deployment's present template; the oldest should there be several."""
    fitting = [one for one in replicasets if same_template(one["spec"]["template"], deployment["spec"]["template"])]
    return min(
        fitting, key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"]), default=None
    )


def revision(obj: Json) -> int:
    """The revision number in its annotations; 0 without one."""
    text = (obj["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def new_replicaset(deployment: Json, number: int) -> Json:
    """A ReplicaSet for the Deployment's present template, asking for no pods yet."""
    template = deployment["spec"]["template"]
    collisions = (deployment.get("status") or {}).get("collisionCount", 0)
    stamp = template_hash(template, collisions)
    template = _unhashed(template)
    template["metadata"]["labels"][HASH_LABEL] = stamp
    selector = dict(deployment["spec"]["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: stamp}
    replicaset: Json = {
        "metadata": {
            "name": f"{deployment['metadata']['name']}-{stamp}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": dict(template["metadata"]["labels"]),
            "ownerReferences": [controller_reference("apps/v1", "Deployment", deployment)],
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    }
    if deployment["spec"].get("minReadySeconds"):
        replicaset["spec"]["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    annotate(deployment, replicaset, number)
    annotate_sizes(deployment, replicaset)
    return replicaset


def annotate(deployment: Json, replicaset: Json, number: int) -> None:
    """Give a ReplicaSet its Deployment's annotations and its revision; a number it had before goes to the
    history."""
    annotations: dict[str, str] = replicaset["metadata"].setdefault("annotations", {})
    for name, value in (deployment["metadata"].get("annotations") or {}).items():
        if name not in OWN:
            annotations[name] = value
    before = revision(replicaset)
    if before >= number:
        return
    if REVISION in annotations:
        numbers = [*filter(None, annotations.get(HISTORY, "").split(",")), str(before)]
        while len(",".join(numbers)) > HISTORY_LENGTH:
            numbers.pop(0)
        annotations[HISTORY] = ",".join(numbers)
    annotations[REVISION] = str(number)


def annotate_sizes(deployment: Json, replicaset: Json) -> bool:
    """Note on a ReplicaSet what its Deployment asks for, by which a later scaling is told; True if that is new."""
    annotations: dict[str, str] = replicaset["metadata"].setdefault("annotations", {})
    sizes = {DESIRED: str(replicas(deployment)), MAXIMUM: str(most(deployment))}
    if sizes.items() <= annotations.items():
        return False
    annotations.update(sizes)
    return True
