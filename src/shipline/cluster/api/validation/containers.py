"""Containers: name, image, ports, environment, mounts, resources, probes and hooks."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api import quantities
from shipline.cluster.api.validation import formats
from shipline.cluster.api.validation.causes import Causes
from shipline.cluster.api.validation.services import PROTOCOLS, check_port_reference
from shipline.cluster.api.validation.volumes import check_descending, check_field_reference

Json = dict[str, Any]

_NEGATIVE = "must be greater than or equal to 0"
_ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_STANDARD = ("cpu", "ephemeral-storage", "memory")


def check_container(causes: Causes, field: str, container: Json, volumes: set[str]) -> None:
    """What holds for containers of every sort."""
    name = container.get("name", "")
    if not name:
        causes.required(f"{field}.name")
    else:
        for complaint in formats.dns_label(name):
            causes.invalid(f"{field}.name", name, complaint)
    if not container.get("image"):
        causes.required(f"{field}.image")
    policy = container.get("terminationMessagePolicy")
    if policy not in ("File", "FallbackToLogsOnError"):
        causes.unsupported(f"{field}.terminationMessagePolicy", policy, ("FallbackToLogsOnError", "File"))
    _ports(causes, f"{field}.ports", container.get("ports") or [])
    _environment(causes, f"{field}.env", container.get("env") or [])
    _environment_from(causes, f"{field}.envFrom", container.get("envFrom") or [])
    _mounts(causes, f"{field}.volumeMounts", container.get("volumeMounts") or [], volumes)
    pull = container.get("imagePullPolicy")
    if pull not in ("Always", "IfNotPresent", "Never"):
        causes.unsupported(f"{field}.imagePullPolicy", pull, ("Always", "IfNotPresent", "Never"))
    check_resources(causes, f"{field}.resources", container.get("resources") or {})
    _security(causes, f"{field}.securityContext", container.get("securityContext") or {})


def _ports(causes: Causes, field: str, ports: list[Json]) -> None:
    names: set[str] = set()
    for index, port in enumerate(ports):
        path = f"{field}[{index}]"
        name = port.get("name", "")
        complaints = formats.port_name(name) if name else []
        for complaint in complaints:
            causes.invalid(f"{path}.name", name, complaint)
        if name and not complaints:
            if name in names:
                causes.duplicate(f"{path}.name", name)
            names.add(name)
        if not port.get("containerPort"):
            causes.required(f"{path}.containerPort")
        else:
            _port_number(causes, f"{path}.containerPort", port["containerPort"])
        if port.get("hostPort"):
            _port_number(causes, f"{path}.hostPort", port["hostPort"])
        if port.get("protocol") not in PROTOCOLS:
            causes.unsupported(f"{path}.protocol", port.get("protocol", ""), PROTOCOLS)


def _port_number(causes: Causes, field: str, port: int) -> None:
    for complaint in formats.port_number(port):
        causes.invalid(field, port, complaint)


def _environment(causes: Causes, field: str, variables: list[Json]) -> None:
    for index, variable in enumerate(variables):
        path = f"{field}[{index}]"
        name = variable.get("name", "")
        if not name:
            causes.required(f"{path}.name")
        else:
            for complaint in formats.env_name(name):
                causes.invalid(f"{path}.name", name, complaint)
        source = variable.get("valueFrom")
        if source is not None:
            _value_from(causes, f"{path}.valueFrom", source, variable.get("value", ""))


def _value_from(causes: Causes, field: str, source: Json, value: str) -> None:
    chosen = [name for name in _SOURCES if name in source]
    for name in chosen:
        reference, path = source[name], f"{field}.{name}"
        if name == "fieldRef":
            check_field_reference(causes, path, reference, _ENV_FIELDS)
        elif name in ("configMapKeyRef", "secretKeyRef"):
            if not reference.get("name"):
                causes.required(f"{path}.name")
            if not reference.get("key"):
                causes.required(f"{path}.key")
            else:
                for complaint in formats.config_key(reference["key"]):
                    causes.invalid(f"{path}.key", reference["key"], complaint)
        elif name == "resourceFieldRef" and not reference.get("resource"):
            causes.required(f"{path}.resource")
    if not chosen:
        why = (
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        )
        causes.invalid(field, "", why)
    elif value:
        causes.invalid(field, "", "may not be specified when `value` is not empty")
    elif len(chosen) > 1:
        causes.invalid(field, "", "may not have more than one field specified at a time")


def _environment_from(causes: Causes, field: str, sources: list[Json]) -> None:
    for index, source in enumerate(sources):
        path = f"{field}[{index}]"
        if source.get("prefix"):
            for complaint in formats.env_name(source["prefix"]):
                causes.invalid(f"{path}.prefix", source["prefix"], complaint)
        chosen = [name for name in ("configMapRef", "secretRef") if name in source]
        for name in chosen:
            if not source[name].get("name"):
                causes.required(f"{path}.{name}.name")
        if not chosen:
            causes.invalid(field, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(chosen) > 1:
            causes.invalid(field, "", "may not have more than one field specified at a time")


def _mounts(causes: Causes, field: str, mounts: list[Json], volumes: set[str]) -> None:
    places: set[str] = set()
    for index, mount in enumerate(mounts):
        path = f"{field}[{index}]"
        name, place = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            causes.required(f"{path}.name")
        if name not in volumes:
            causes.missing(f"{path}.name", name)
        if not place:
            causes.required(f"{path}.mountPath")
        if place in places:
            causes.invalid(f"{path}.mountPath", place, "must be unique")
        places.add(place)
        if mount.get("subPath"):
            check_descending(causes, f"{field}.subPath", mount["subPath"])
        if mount.get("subPathExpr"):
            if mount.get("subPath"):
                why = "subPathExpr and subPath are mutually exclusive"
                causes.invalid(f"{path}.subPathExpr", mount["subPathExpr"], why)
            check_descending(causes, f"{field}.subPathExpr", mount["subPathExpr"])


def check_resources(causes: Causes, field: str, resources: Json) -> None:
    """Requests and limits: known names, no less than zero, requests within limits."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for part, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            path = f"{field}.{part}[{name}]"
            for complaint in formats.qualified_name(name):
                causes.invalid(path, name, complaint)
            if "/" not in name and name not in _STANDARD and not name.startswith("hugepages-"):
                causes.invalid(path, name, "must be a standard resource type or fully qualified")
                causes.invalid(path, name, "must be a standard resource for containers")
            if quantities.value(amount) < 0:
                causes.invalid(path, amount, _NEGATIVE)
    for name, amount in requests.items():
        if name in limits and quantities.value(amount) > quantities.value(limits[name]):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            causes.invalid(f"{field}.requests", amount, why)


def _security(causes: Causes, field: str, security: Json) -> None:
    for name in ("runAsUser", "runAsGroup"):
        if security.get(name) is not None and not 0 <= security[name] <= 2147483647:
            causes.invalid(f"{field}.{name}", security[name], "must be between 0 and 2147483647, inclusive")
    if security.get("allowPrivilegeEscalation") is False:
        if security.get("privileged"):
            why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            causes.invalid(field, security, why)
        elif "SYS_ADMIN" in ((security.get("capabilities") or {}).get("add") or ()):
            why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            causes.invalid(field, security, why)


def check_probes(causes: Causes, field: str, container: Json) -> None:
    """Probes and hooks of a container that runs on."""
    for name, handler in (container.get("lifecycle") or {}).items():
        if isinstance(handler, dict):
            _handler(causes, f"{field}.lifecycle.{name}", handler)
        else:
            causes.forbidden(
                f"{field}.lifecycle.{name}", "may not be set: this cluster stops by the image's signal"
            )
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is None:
            continue
        path = f"{field}.{name}"
        _handler(causes, path, probe)
        numbers = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
        for number in numbers:
            if probe.get(number, 0) < 0:
                causes.invalid(f"{path}.{number}", probe[number], _NEGATIVE)
        grace = probe.get("terminationGracePeriodSeconds")
        if grace is not None:
            if name == "readinessProbe":
                why = "must not be set for readinessProbes"
                causes.invalid(f"{path}.terminationGracePeriodSeconds", grace, why)
            elif grace <= 0:
                causes.invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")
        if name != "readinessProbe" and probe.get("successThreshold", 1) != 1:
            causes.invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1")


def _handler(causes: Causes, field: str, handler: Json) -> None:
    chosen = [name for name in _HANDLERS if name in handler]
    if not chosen:
        causes.required(field, "must specify a handler type")
        return
    for extra in chosen[1:]:
        causes.forbidden(f"{field}.{extra}", "may not specify more than 1 handler type")
    kind = chosen[0]
    action, path = handler[kind], f"{field}.{kind}"
    if kind == "exec" and not action.get("command"):
        causes.required(f"{path}.command")
    elif kind in ("httpGet", "tcpSocket", "grpc"):
        check_port_reference(causes, f"{path}.port", action.get("port", 0))
    if kind == "httpGet" and action.get("scheme") not in ("HTTP", "HTTPS"):
        causes.unsupported(f"{path}.scheme", action.get("scheme", ""), ("HTTP", "HTTPS"))
