"""`[[runners.kubernetes.pod_spec]]`: patches of the pod's spec, for what the configuration has no key for.

Three kinds, as kubectl knows them: `strategic` (lists of named things are merged by their names), `merge` (RFC
7386) and `json` (RFC 6902).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shipline.runner.config import PodSpecPatch
from shipline.runner.errors import JobFailed

Object = dict[str, Any]

# the lists of a pod's spec that Kubernetes merges, and by which member
KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "resourceClaims": "name",
    "topologySpreadConstraints": "topologyKey",
}


def patched(spec: Object, patches: Iterable[PodSpecPatch]) -> Object:
    """The spec after all patches, in their order. JobFailed for one that is wrong or does not fit."""
    for patch in patches:
        try:
            spec = _patched(spec, patch)
        except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise JobFailed(
                f"pod_spec {patch.name!r} of the runner's configuration does not fit the job's pod: {error}",
                "runner_configuration_error",
            ) from None
    return spec


def _patched(spec: Object, patch: PodSpecPatch) -> Object:
    import yaml

    text = Path(patch.patch_path).read_text(encoding="utf-8") if patch.patch_path else patch.patch
    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML or JSON: {' '.join(str(error).split())}") from None
    if patch.patch_type == "json":
        import jsonpatch

        try:
            result: Object = jsonpatch.apply_patch(spec, told)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            raise ValueError(str(error)) from None
        return result
    if not isinstance(told, dict):
        raise ValueError("the patch is not a mapping")
    merged: Object = _merged(spec, told, strategic=patch.patch_type == "strategic")
    return merged


def _merged(old: Any, new: Any, *, strategic: bool, key: str = "") -> Any:
    """`new` over `old`: null removes, mappings are merged, everything else is put in the place of the old."""
    if strategic and key and isinstance(old, list) and isinstance(new, list):
        return _merged_list(old, new, key)
    if not isinstance(new, dict):
        return new
    if strategic and new.get("$patch") == "replace":
        return {name: value for name, value in new.items() if name != "$patch"}
    result = dict(old) if isinstance(old, dict) else {}
    for name, value in new.items():
        if value is None:
            result.pop(name, None)
        elif not name.startswith("$"):
            result[name] = _merged(result.get(name), value, strategic=strategic, key=KEYS.get(name, ""))
    return result


def _merged_list(old: list[Any], new: list[Any], key: str) -> list[Any]:
    if any(item == {"$patch": "replace"} for item in new):
        return [item for item in new if item != {"$patch": "replace"}]
    result = list(old)
    for item in new:
        at = next((at for at, each in enumerate(result) if each.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            result = [each for each in result if each.get(key) != item.get(key)]
        elif at is None:
            result.append(item)
        else:
            result[at] = _merged(result[at], item, strategic=True)
    return result
