"""Pods: their spec as a whole, and the few things about it that may change later."""

from __future__ import annotations

import difflib
import json
from typing import Any

from shipline.cluster.api.validation import formats
from shipline.cluster.api.validation.causes import Causes
from shipline.cluster.api.validation.containers import check_container, check_probes
from shipline.cluster.api.validation.metadata import check_labels
from shipline.cluster.api.validation.volumes import check_volumes

Json = dict[str, Any]

_INT32 = 2147483647
_INIT_ONLY = "may not be set for init containers without restartPolicy=Always"
_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")
_CHANGEABLE = (
    "`spec.containers[*].image`",
    "`spec.initContainers[*].image`",
    "`spec.activeDeadlineSeconds`",
    "`spec.tolerations` (only additions to existing tolerations)",
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
)


def check_pod(causes: Causes, pod: Json) -> None:
    """A Pod by itself."""
    check_pod_spec(causes, "spec", pod["spec"])


def check_pod_spec(causes: Causes, field: str, spec: Json) -> None:
    """A pod's spec, also in a template."""
    volumes = check_volumes(causes, f"{field}.volumes", spec.get("volumes") or [])
    _containers(causes, f"{field}.containers", spec.get("containers") or [], volumes)
    _init_containers(causes, f"{field}.initContainers", spec, volumes)
    if spec.get("ephemeralContainers"):
        causes.forbidden(f"{field}.ephemeralContainers", "ephemeral containers not allowed in create/update")
    if spec.get("hostNetwork"):
        _host_ports(causes, f"{field}.containers", spec.get("containers") or [])
    policy = spec.get("restartPolicy")
    if policy not in ("Always", "Never", "OnFailure"):
        causes.unsupported(f"{field}.restartPolicy", policy, ("Always", "Never", "OnFailure"))
    if spec.get("dnsPolicy") not in _DNS_POLICIES:
        causes.unsupported(f"{field}.dnsPolicy", spec.get("dnsPolicy"), _DNS_POLICIES)
    check_labels(causes, f"{field}.nodeSelector", spec.get("nodeSelector") or {})
    for index, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if not secret.get("name"):
            causes.required(f"{field}.imagePullSecrets[{index}].name")
    if spec.get("dnsPolicy") == "None" and not (spec.get("dnsConfig") or {}).get("nameservers"):
        why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        causes.required(f"{field}.dnsConfig.nameservers", why)
    _names(causes, field, spec)
    _tolerations(causes, f"{field}.tolerations", spec.get("tolerations") or [])
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        for complaint in formats.ip_address(alias.get("ip", "")):
            causes.invalid(f"{field}.hostAliases[{index}].ip", alias.get("ip", ""), complaint)
        for name in alias.get("hostnames") or ():
            for complaint in formats.dns_subdomain(name):
                causes.invalid(f"{field}.hostAliases[{index}].hostnames", name, complaint)


def _names(causes: Causes, field: str, spec: Json) -> None:
    for name in ("serviceAccountName", "nodeName"):
        for complaint in formats.dns_subdomain(spec[name]) if spec.get(name) else ():
            causes.invalid(f"{field}.{name}", spec[name], complaint)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _INT32:
        why = f"must be between 1 and {_INT32}, inclusive"
        causes.invalid(f"{field}.activeDeadlineSeconds", deadline, why)
    for name in ("hostname", "subdomain"):
        for complaint in formats.dns_label(spec[name]) if spec.get(name) else ():
            causes.invalid(f"{field}.{name}", spec[name], complaint)


def _containers(causes: Causes, field: str, containers: list[Json], volumes: set[str]) -> None:
    if not containers:
        causes.required(field)
    names: set[str] = set()
    for index, container in enumerate(containers):
        path = f"{field}[{index}]"
        check_container(causes, path, container, volumes)
        name = container.get("name", "")
        if name in names:
            causes.duplicate(f"{path}.name", name)
        names.add(name)
        check_probes(causes, path, container)
        if container.get("restartPolicy") is not None:
            causes.forbidden(f"{path}.restartPolicy", "may not be set for non-init containers")
    ports: set[tuple[str, str, int]] = set()
    for index, container in enumerate(containers):
        for at, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            key = (port.get("protocol", ""), port.get("hostIP", ""), port["hostPort"])
            if key in ports:
                causes.duplicate(f"{field}[{index}].ports[{at}].hostPort", "/".join(map(str, key)))
            ports.add(key)


def _init_containers(causes: Causes, field: str, spec: Json, volumes: set[str]) -> None:
    names = {container.get("name", "") for container in spec.get("containers") or ()}
    for index, container in enumerate(spec.get("initContainers") or ()):
        path = f"{field}[{index}]"
        check_container(causes, path, container, volumes)
        policy = container.get("restartPolicy")
        if policy not in (None, "Always"):
            causes.unsupported(f"{path}.restartPolicy", policy, ("Always",))
        name = container.get("name", "")
        if name in names:
            causes.duplicate(f"{path}.name", name)
        names.add(name)
        if policy == "Always":
            check_probes(causes, path, container)
            continue
        for part in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            if part in container:
                causes.forbidden(f"{path}.{part}", _INIT_ONLY)


def _host_ports(causes: Causes, field: str, containers: list[Json]) -> None:
    for index, container in enumerate(containers):
        for at, port in enumerate(container.get("ports") or ()):
            if port.get("hostPort") != port.get("containerPort"):
                why = "must match `hostPort` when `hostNetwork` is true"
                causes.invalid(f"{field}[{index}].ports[{at}].containerPort", port.get("containerPort"), why)


def _tolerations(causes: Causes, field: str, tolerations: list[Json]) -> None:
    for index, toleration in enumerate(tolerations):
        path = f"{field}[{index}]"
        key, operator = toleration.get("key", ""), toleration.get("operator", "")
        effect = toleration.get("effect", "")
        for complaint in formats.qualified_name(key) if key else ():
            causes.invalid(f"{path}.key", key, complaint)
        if not key and operator != "Exists":
            why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            causes.invalid(f"{path}.operator", operator, why)
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            causes.invalid(f"{path}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
        if operator not in ("", "Equal", "Exists"):
            causes.unsupported(f"{path}.operator", operator, ("Equal", "Exists"))
        elif operator == "Exists" and toleration.get("value"):
            why = "value must be empty when `operator` is 'Exists'"
            causes.invalid(f"{path}.operator", toleration["value"], why)
        if effect and effect not in _EFFECTS:
            causes.unsupported(f"{path}.effect", effect, _EFFECTS)


def check_pod_change(causes: Causes, new: Json, old: Json) -> None:
    """A change of a Pod: of its spec only what `_CHANGEABLE` says."""
    before, after = old["spec"], new["spec"]
    if after == before:
        return
    for part in ("containers", "initContainers"):
        if len(after.get(part) or ()) != len(before.get(part) or ()):
            causes.forbidden(f"spec.{part}", "pod updates may not add or remove containers")
            return
    then, now = before.get("activeDeadlineSeconds"), after.get("activeDeadlineSeconds")
    if then is not None and now is None:
        why = "must not update from a positive integer to nil value"
        causes.invalid("spec.activeDeadlineSeconds", None, why)
    elif then is not None and now is not None and now > then:
        causes.invalid("spec.activeDeadlineSeconds", now, "must be less than or equal to previous value")
    kept = after.get("tolerations") or []
    if any(toleration not in kept for toleration in before.get("tolerations") or ()):
        causes.forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
    left, right = _fixed(before), _fixed(after)
    if left != right:
        listed = ",".join(_CHANGEABLE)
        why = f"pod updates may not change fields other than {listed}\n{_difference(left, right)}"
        causes.forbidden("spec", why)


def _fixed(spec: Json) -> Json:
    """A spec without what may change."""
    kept = {key: value for key, value in spec.items() if key not in ("activeDeadlineSeconds", "tolerations")}
    for part in ("containers", "initContainers"):
        if part in kept:
            kept[part] = [{k: v for k, v in container.items() if k != "image"} for container in kept[part]]
    if kept.get("terminationGracePeriodSeconds", 0) < 0:
        kept["terminationGracePeriodSeconds"] = 1
    return kept


def _difference(before: Json, after: Json) -> str:
    left, right = (json.dumps(spec, indent=1, sort_keys=True).splitlines() for spec in (before, after))
    changed = difflib.unified_diff(left, right, lineterm="", n=1)
    return "\n".join(line for line in list(changed)[2:] if not line.startswith("@@"))
