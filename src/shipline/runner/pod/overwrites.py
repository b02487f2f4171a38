"""What a job may put in the place of the runner's settings, by its KUBERNETES_* variables, where these allow it.

    memory_limit_overwrite_max_allowed = "4Gi"     # KUBERNETES_MEMORY_LIMIT: 2Gi
    namespace_overwrite_allowed = "^ci-"           # KUBERNETES_NAMESPACE_OVERWRITE: ci-web
    pod_labels_overwrite_allowed = "^team="        # KUBERNETES_POD_LABELS_1: team=web

Where the settings do not allow it the variable has no effect; a value beyond what they allow fails the job.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from shipline.runner.config import KubernetesConfig
from shipline.runner.errors import JobFailed
from shipline.runner.pod.quantity import quantity

RESOURCES = [
    f"{prefix}{resource}_{kind}"
    for prefix in ("", "helper_", "service_", "pod_")
    for resource in ("cpu", "memory", *(["ephemeral_storage"] if prefix != "pod_" else []))
    for kind in ("limit", "request")
]
TEXTS = {"namespace": "KUBERNETES_NAMESPACE_OVERWRITE", "service_account": "KUBERNETES_SERVICE_ACCOUNT_OVERWRITE"}
MAPS = {
    "pod_labels": "KUBERNETES_POD_LABELS_",
    "pod_annotations": "KUBERNETES_POD_ANNOTATIONS_",
    "node_selector": "KUBERNETES_NODE_SELECTOR_",
    "node_tolerations": "KUBERNETES_NODE_TOLERATIONS_",
}


def overwritten(config: KubernetesConfig, variables: Mapping[str, str]) -> tuple[KubernetesConfig, list[str]]:
    """The settings for a job with these variables, and a line for its log for each that it has changed.

    JobFailed for a value that is not allowed."""
    changes: dict[str, Any] = {}
    for key in RESOURCES:
        if value := _resource(config, key, variables.get(f"KUBERNETES_{key.upper()}", "")):
            changes[key] = value
    for key, variable in TEXTS.items():
        pattern, value = getattr(config, f"{key}_overwrite_allowed"), variables.get(variable, "")
        if pattern and value:
            changes[key] = _matching(pattern, variable, value)
    said = [f'"{key}" overwritten with "{value}"' for key, value in changes.items()]
    for key, prefix in MAPS.items():
        if pattern := getattr(config, f"{key}_overwrite_allowed"):
            own = _pairs(key, prefix, pattern, variables)
            said += [f'"{key}" "{name}" overwritten with "{value}"' for name, value in own.items()]
            changes[key] = getattr(config, key) | own
    return msgspec.structs.replace(config, **changes), said


def service_resources(config: KubernetesConfig, variables: Mapping[str, str]) -> KubernetesConfig:
    """The settings for one service that has these variables of its own."""
    keys = [key for key in RESOURCES if key.startswith("service_")]
    found = {key: _resource(config, key, variables.get(f"KUBERNETES_{key.upper()}", "")) for key in keys}
    return msgspec.structs.replace(config, **{key: value for key, value in found.items() if value})


def _resource(config: KubernetesConfig, key: str, value: str) -> str:
    """The value, if the job gives one and may."""
    most = getattr(config, f"{key}_overwrite_max_allowed")
    if not most or not value:
        return ""
    try:
        allowed = quantity(value) <= quantity(most)
    except ValueError as error:
        raise JobFailed(f"KUBERNETES_{key.upper()}: {error}", "runner_configuration_error") from None
    if not allowed:
        raise JobFailed(
            f"KUBERNETES_{key.upper()} asks for {value}; this runner's {key}_overwrite_max_allowed is {most}",
            "runner_configuration_error",
        )
    return value


def _matching(pattern: str, variable: str, value: str) -> str:
    try:
        found = re.search(pattern, value)
    except re.error as error:
        text = f"the runner's configuration: {pattern!r} is no regular expression: {error}"
        raise JobFailed(text, "runner_configuration_error") from None
    if found is None:
        text = f"{variable}: {value!r} does not match what this runner allows: {pattern!r}"
        raise JobFailed(text, "runner_configuration_error")
    return value


def _pairs(key: str, prefix: str, pattern: str, variables: Mapping[str, str]) -> dict[str, str]:
    """`name=value` for each variable of that prefix; for tolerations `key[=value]:effect`."""
    found = {}
    for variable, value in variables.items():
        if not variable.startswith(prefix):
            continue
        _matching(pattern, variable, value)
        name, divided, rest = value.partition(":" if key == "node_tolerations" else "=")
        if not divided and key != "node_tolerations":
            raise JobFailed(f"{variable}: {value!r} is not of the form name=value", "runner_configuration_error")
        found[name] = rest
    return found
