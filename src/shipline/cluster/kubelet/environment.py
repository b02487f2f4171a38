"""A container's environment: values, ConfigMaps, Secrets, the pod's own fields, and the links to Services."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.kubelet import quantity

Json = dict[str, Any]


class ConfigurationError(Exception):
    """A container's configuration refers to what is not there: CreateContainerConfigError."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a pod's fields cannot say before it runs. `allocatable` is the node's, for absent limits."""

    pod_ip: str
    host_ip: str
    allocatable: Mapping[str, str]


def environment(api: Api, pod: Json, container: Json, circumstances: Circumstances) -> dict[str, str]:
    """All variables but the image's own. Raises ConfigurationError naming what is missing."""
    namespace = pod["metadata"]["namespace"]
    links = service_links(api, pod)
    values: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        prefix = source.get("prefix", "")
        for name, value in _all_of(api, namespace, source).items():
            values[prefix + name] = value
    for variable in container.get("env") or []:
        name = variable["name"]
        if "valueFrom" not in variable:
            values[name] = expand(variable.get("value", ""), links | values)
            continue
        found = _referred(api, pod, container, variable["valueFrom"], circumstances)
        if found is not None:
            values[name] = found
    return {name: value for name, value in links.items() if name not in values} | values


_REFERENCE = re.compile(r"\$(\$|\(([^()]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)`; `$$` is a dollar, and an unknown name stays as it is written."""

    def replaced(match: re.Match[str]) -> str:
        if match.group(1) == "$":
            return "$"
        return variables.get(match.group(2), match.group(0))

    return _REFERENCE.sub(replaced, text)


def service_links(api: Api, pod: Json) -> dict[str, str]:
    """`WEB_SERVICE_HOST` and its kin for the API's own Service and, where wanted, the pod's neighbours'."""
    services = [
        service for service in api.list("services", "default") if service["metadata"]["name"] == "kubernetes"
    ]
    if pod["spec"].get("enableServiceLinks", True):
        services += api.list("services", pod["metadata"]["namespace"])
    variables: dict[str, str] = {}
    for service in services:
        address = service["spec"].get("clusterIP", "")
        if address in ("", "None"):
            continue
        variables |= _link(service["metadata"]["name"].upper().replace("-", "_"), address, service["spec"]["ports"])
    return variables


def _link(name: str, address: str, ports: list[Json]) -> dict[str, str]:
    variables = {f"{name}_SERVICE_HOST": address, f"{name}_SERVICE_PORT": str(ports[0]["port"])}
    for index, port in enumerate(ports):
        number, protocol = str(port["port"]), port.get("protocol", "TCP")
        url = f"{protocol.lower()}://{address}:{number}"
        if port.get("name"):
            variables[f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = number
        if index == 0:
            variables[f"{name}_PORT"] = url
        prefix = f"{name}_PORT_{number}_{protocol}"
        variables |= {
            prefix: url,
            f"{prefix}_PROTO": protocol.lower(),
            f"{prefix}_PORT": number,
            f"{prefix}_ADDR": address,
        }
    return variables


def data_of(api: Api, kind: str, namespace: str, name: str) -> dict[str, bytes] | None:
    """All keys of a ConfigMap or Secret (`kind` is the resource's name), decoded; None when it isn't there."""
    try:
        found = api.get(kind, namespace, name)
    except ApiError:
        return None
    encoded = found.get("data" if kind == "secrets" else "binaryData") or {}
    data = {key: base64.b64decode(value or "") for key, value in encoded.items()}
    if kind == "configmaps":
        data |= {key: value.encode() for key, value in (found.get("data") or {}).items()}
    return data


def _all_of(api: Api, namespace: str, source: Json) -> dict[str, str]:
    for field, kind in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
        if reference := source.get(field):
            data = data_of(api, kind, namespace, reference.get("name", ""))
            if data is None and not reference.get("optional"):
                raise ConfigurationError(f'{kind[:-1].lower()} "{reference.get("name", "")}" not found')
            return {key: value.decode(errors="replace") for key, value in (data or {}).items()}
    return {}


def _referred(api: Api, pod: Json, container: Json, source: Json, circumstances: Circumstances) -> str | None:
    namespace = pod["metadata"]["namespace"]
    for field, kind, title in (
        ("configMapKeyRef", "configmaps", "ConfigMap"),
        ("secretKeyRef", "secrets", "Secret"),
    ):
        if reference := source.get(field):
            name, key = reference.get("name", ""), reference["key"]
            data = data_of(api, kind, namespace, name)
            if data is not None and key in data:
                return data[key].decode(errors="replace")
            if reference.get("optional"):
                return None
            if data is None:
                raise ConfigurationError(f'{kind[:-1]} "{name}" not found')
            raise ConfigurationError(f"couldn't find key {key} in {title} {namespace}/{name}")
    if reference := source.get("fieldRef"):
        return field_value(pod, reference["fieldPath"], circumstances)
    if reference := source.get("resourceFieldRef"):
        return resource_value(pod, container, reference, circumstances)
    raise ConfigurationError(f"environment variables from {', '.join(source)} are not supported by this cluster")


_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]$")


def field_value(pod: Json, path: str, circumstances: Circumstances) -> str:
    """A field of the pod as text, for variables and downward API volumes."""
    metadata, spec = pod["metadata"], pod["spec"]
    if keyed := _KEYED.match(path):
        return str((metadata.get(keyed.group(1)) or {}).get(keyed.group(2), ""))
    match path:
        case "metadata.name" | "metadata.namespace" | "metadata.uid":
            return str(metadata[path.removeprefix("metadata.")])
        case "metadata.labels" | "metadata.annotations":
            pairs = sorted((metadata.get(path.removeprefix("metadata.")) or {}).items())
            return "\n".join(f"{key}={_quoted(value)}" for key, value in pairs)
        case "spec.nodeName":
            return str(spec.get("nodeName", ""))
        case "spec.serviceAccountName":
            return str(spec.get("serviceAccountName", ""))
        case "status.podIP" | "status.podIPs":
            return circumstances.pod_ip
        case "status.hostIP" | "status.hostIPs":
            return circumstances.host_ip
    raise ConfigurationError(f"unsupported fieldPath: {path}")


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def resource_value(pod: Json, container: Json | None, reference: Json, circumstances: Circumstances) -> str:
    """A container's request or limit in units of the divisor, rounded up; an absent limit is the node's."""
    spec = pod["spec"]
    if wanted := reference.get("containerName"):
        everyone = [*spec["containers"], *(spec.get("initContainers") or [])]
        container = next((one for one in everyone if one["name"] == wanted), None)
    if container is None:
        raise ConfigurationError(f"container {reference.get('containerName')} not found")
    side, _, resource = reference["resource"].partition(".")
    resources = container.get("resources") or {}
    amount = (resources.get(side) or {}).get(resource)
    if amount is None:
        fallback = (resources.get("limits") or {}).get(resource) if side == "requests" else None
        amount = fallback or (circumstances.allocatable.get(resource, "0") if side == "limits" else "0")
    divisor = quantity.parse(str(reference.get("divisor") or "1")) or quantity.parse("1")
    return str(quantity.ceiling(quantity.parse(amount) / divisor))
