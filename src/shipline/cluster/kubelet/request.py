"""What the engine is asked to create: a pod's sandbox, and its containers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

from shipline.cluster import labels
from shipline.cluster.kubelet import resources, security
from shipline.cluster.kubelet.environment import expand

Json = dict[str, Any]

# Unpacks its standard input at the root, says so, and holds the namespaces until it is killed.
_SANDBOX_SCRIPT = (
    "umask 0; tar -xpf - -C / && "
    "for f in hosts resolv.conf; do [ ! -e /own/$f ] || cat /own/$f >/etc/$f; done && "
    "echo ready && exec sleep 2147483647"
)


# Docker 20.10 to 24 start no name server for a container whose ndots is no number (newer ones do all the same): a
# process and eleven calls of iptables, a tenth of what a pod costs, for a server that no pod of ours asks.
_NO_RESOLVER = "ndots:the-pod-has-its-own"


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What every request needs to know of the node."""

    cluster: str
    name: str
    network: str
    pause_image: str
    node_container: str


def pod_labels(cluster: str, pod: Json) -> dict[str, str]:
    """The labels of everything that belongs to a pod."""
    metadata = pod["metadata"]
    return {
        labels.CLUSTER: cluster,
        labels.POD_UID: metadata["uid"],
        labels.POD_NAMESPACE: metadata["namespace"],
        labels.POD_NAME: metadata["name"],
    }


def hostname(pod: Json) -> tuple[str, str]:
    """The pod's host name and its domain ("" without a subdomain)."""
    spec, metadata = pod["spec"], pod["metadata"]
    name = (spec.get("hostname") or metadata["name"])[:63].rstrip("-.")
    if not spec.get("subdomain"):
        return name, ""
    return name, f"{spec['subdomain']}.{metadata['namespace']}.svc.cluster.local"


def sandbox(pod: Json, facts: NodeFacts, address: str, mounts: list[Json]) -> Json:
    """The sandbox: it holds the network namespace and mounts the pod's directory."""
    spec = pod["spec"]
    host: Json = {
        "NetworkMode": facts.network,
        "IpcMode": "host" if spec.get("hostIPC") else "shareable",
        "Mounts": mounts,
        "LogConfig": {"Type": "none", "Config": {}},
        "Sysctls": {one["name"]: one["value"] for one in (spec.get("securityContext") or {}).get("sysctls") or []},
    }
    request: Json = {
        "Image": facts.pause_image,
        "Entrypoint": ["sh", "-c", _SANDBOX_SCRIPT],
        "Labels": pod_labels(facts.cluster, pod) | {labels.ROLE: labels.SANDBOX},
        "OpenStdin": True,
        "StdinOnce": True,
        "StopSignal": "SIGKILL",
        "HostConfig": host,
    }
    if spec.get("hostNetwork"):
        # The node is a container too: its network is what a node's network is elsewhere.
        host["NetworkMode"] = f"container:{facts.node_container}"
        return request
    if spec.get("dnsPolicy") != "Default":  # which goes on with what the engine writes
        host["DnsOptions"] = [_NO_RESOLVER]
    name, domain = hostname(pod)
    request["Hostname"] = f"{name}.{domain}" if spec.get("setHostnameAsFQDN") and domain else name
    endpoint = {"IPAMConfig": {"IPv4Address": address}}
    request["NetworkingConfig"] = {"EndpointsConfig": {facts.network: endpoint}}
    if ports := _host_ports(spec):
        host["PortBindings"] = ports
        request["ExposedPorts"] = {port: {} for port in ports}
    if spec.get("shareProcessNamespace"):
        host["Init"] = True
    return request


def _host_ports(spec: Json) -> Json:
    """Ports published on the host's loopback, unless a hostIP asks for more."""
    bindings: Json = {}
    for container in [*spec["containers"], *(spec.get("initContainers") or [])]:
        for port in container.get("ports") or []:
            if port.get("hostPort"):
                key = f"{port['containerPort']}/{port.get('protocol', 'TCP').lower()}"
                binding = {"HostIp": port.get("hostIP") or "127.0.0.1", "HostPort": str(port["hostPort"])}
                bindings.setdefault(key, []).append(binding)
    return bindings


def container(
    pod: Json,
    spec: Json,
    *,
    attempt: int,
    facts: NodeFacts,
    sandbox_id: str,
    image: Json,
    variables: dict[str, str],
    binds: list[str],
) -> Json:
    """A container of the pod. `image` is the engine's description of it. Raises SecurityError."""
    of_pod = pod["spec"]
    host: Json = {
        "NetworkMode": f"container:{sandbox_id}",
        "IpcMode": "host" if of_pod.get("hostIPC") else f"container:{sandbox_id}",
        "Binds": binds,
        "LogConfig": {"Type": "json-file", "Config": {}},
    }
    if of_pod.get("hostPID"):
        host["PidMode"] = "host"
    elif of_pod.get("shareProcessNamespace"):
        host["PidMode"] = f"container:{sandbox_id}"
    host |= resources.host_config(spec, (pod.get("status") or {}).get("qosClass", ""))
    host |= security.host_config(pod, spec)
    request: Json = {
        "Image": image["Id"],
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "Labels": pod_labels(facts.cluster, pod)
        | {
            labels.ROLE: labels.APPLICATION,
            labels.CONTAINER: spec["name"],
            labels.ATTEMPT: str(attempt),
            labels.SPEC: spec_hash(spec),
        },
        "Tty": bool(spec.get("tty")),
        "OpenStdin": bool(spec.get("stdin")),
        "StdinOnce": bool(spec.get("stdinOnce")),
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": host,
    }
    for field, name in (("command", "Entrypoint"), ("args", "Cmd")):
        if spec.get(field):
            request[name] = [expand(word, variables) for word in spec[field]]
    if spec.get("workingDir"):
        request["WorkingDir"] = spec["workingDir"]
    if run_as := security.user(pod, spec, (image.get("Config") or {}).get("User") or ""):
        request["User"] = run_as
    if signal := (spec.get("lifecycle") or {}).get("stopSignal"):
        request["StopSignal"] = signal
    return request


def spec_hash(spec: Json) -> str:
    """Changes when a running container no longer is what the pod asks for: only its image can change."""
    return hashlib.sha256(msgspec.json.encode([spec["name"], spec["image"]])).hexdigest()[:16]
