"""A registry that runs in the cluster, as the objects it is made of.

Pods, jobs and Docker-in-Docker reach it by its own name, on the port in that name or 80, through a Service. The
container engine reaches the same registry on a port of its loopback address, where every engine allows plain
HTTP by itself. `mapping` is what tells the cluster that the two are one.
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shipline.images.errors import ImageError

Object = dict[str, Any]

NAMESPACE = "shipline-registries"
MAPPINGS = ("kube-system", "shipline-registries")
"""Namespace and name of the ConfigMap that holds every registry's mapping."""
PORT = 5000
NAME = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?(:[0-9]{1,5})?")


@dataclass(frozen=True)
class Registry:
    """One registry. `name` is what image references begin with; `host_port` is the engine's way in."""

    name: str
    host_port: int
    image: str
    folder: str
    """Where the layers are kept on the engine's host."""
    user_id: int
    """The host's user that the registry runs as, so that what it keeps belongs to who started the cluster."""
    password_file: str = ""
    """One htpasswd line; empty lets everybody in."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ImageError(
                f"'{self.name}' is no registry name; it has to look like registry.example.com or "
                "registry.example.com:5000, in lower case (a name without a dot would be taken for a user's)"
            )

    @property
    def service(self) -> str:
        """The name of its objects."""
        return service_name(self.name)

    @property
    def endpoint(self) -> str:
        """Where the engine finds it."""
        return f"127.0.0.1:{self.host_port}"

    def objects(self) -> list[Object]:
        """What to create in the cluster, in this order."""
        secret = [self._secret()] if self.password_file else []
        return [_object("v1", "Namespace", NAMESPACE, namespace=""), *secret, self._deployment(), self._service()]

    def mapping(self, address: str, also: Sequence[str] = ()) -> dict[str, str]:
        """The entries of the ConfigMap of mappings that make the name known; `address` is the Service's.

        The registries named in `also` are pulled from this one too, by the cluster's node; no pod sees them there.
        """
        entries = {self.service: {"name": self.name, "endpoint": self.endpoint, "address": address}}
        for name in also:
            entries[f"{self.service}.{service_name(name)}"] = {
                "name": name,
                "endpoint": self.endpoint,
                "address": "",
            }
        return {key: json.dumps(entry) for key, entry in entries.items()}

    def _secret(self) -> Object:
        return _object("v1", "Secret", self.service) | {
            "type": "Opaque",
            "data": {"htpasswd": base64.b64encode(self.password_file.encode()).decode()},
        }

    def _service(self) -> Object:
        port = int(self.name.partition(":")[2] or 80)
        ports = [{"name": "http", "port": port, "targetPort": PORT}]
        return _object("v1", "Service", self.service) | {"spec": {"selector": self._selector(), "ports": ports}}

    def _deployment(self) -> Object:
        template = {
            "metadata": {
                "labels": self._selector(),
                # A new password is a new pod: the registry reads the file once.
                "annotations": {"shipline/password": hashlib.sha256(self.password_file.encode()).hexdigest()[:16]},
            },
            "spec": {
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": 5,
                "securityContext": {"runAsUser": self.user_id, "runAsGroup": self.user_id},
                "containers": [self._container()],
                "volumes": self._volumes(),
            },
        }
        return _object("apps/v1", "Deployment", self.service) | {
            "spec": {
                "replicas": 1,
                # The port of the host can have one holder only.
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": self._selector()},
                "template": template,
            }
        }

    def _container(self) -> Object:
        settings = {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/var/lib/registry"}
        mounts: list[Object] = [{"name": "data", "mountPath": "/var/lib/registry"}]
        if self.password_file:
            settings |= {
                "REGISTRY_AUTH": "htpasswd",
                "REGISTRY_AUTH_HTPASSWD_REALM": self.name,
                "REGISTRY_AUTH_HTPASSWD_PATH": "/auth/htpasswd",
            }
            mounts.append({"name": "auth", "mountPath": "/auth", "readOnly": True})
        return {
            "name": "registry",
            "image": self.image,
            "imagePullPolicy": "Never",
            "env": [{"name": name, "value": value} for name, value in settings.items()],
            "ports": [{"name": "http", "containerPort": PORT, "hostPort": self.host_port, "hostIP": "127.0.0.1"}],
            "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1},
            "volumeMounts": mounts,
        }

    def _volumes(self) -> list[Object]:
        data = {"name": "data", "hostPath": {"path": self.folder, "type": "DirectoryOrCreate"}}
        if not self.password_file:
            return [data]
        return [data, {"name": "auth", "secret": {"secretName": self.service}}]

    def _selector(self) -> dict[str, str]:
        return {"app": self.service}


def service_name(name: str) -> str:
    """The name of a registry's objects: its own, as far as a Service's name (a letter comes first) can spell it."""
    spelled = re.sub(r"[^a-z0-9]+", "-", name)
    return (f"registry-{spelled}" if spelled[0].isdigit() else spelled)[:63].strip("-")


def _object(version: str, kind: str, name: str, namespace: str = NAMESPACE) -> Object:
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **place}}
