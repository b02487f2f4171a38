"""Puts a registry into a cluster, and takes it out again, through the Kubernetes API.

The cluster is given as an object with the four verbs below; where it is and how one gets in is not known here.
"""

import asyncio
import base64
import json
import os
import shutil
import socket
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from shipline.images import password
from shipline.images.errors import ImageError
from shipline.images.registry import MAPPINGS, NAMESPACE, Object, Registry, service_name

LONGEST_START = 60.0  # seconds
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "Secret": f"/api/v1/namespaces/{NAMESPACE}/secrets",
    "Service": f"/api/v1/namespaces/{NAMESPACE}/services",
    "Deployment": f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments",
    "Pod": f"/api/v1/namespaces/{NAMESPACE}/pods",
    "ConfigMap": f"/api/v1/namespaces/{MAPPINGS[0]}/configmaps",
}
MAPPING = f"{PATHS['ConfigMap']}/{MAPPINGS[1]}"
# Reasons for which a container waits that waiting does not cure.
HOPELESS = ("CreateContainerConfigError", "CreateContainerError", "ErrImageNeverPull", "RunContainerError")


class Cluster(Protocol):
    """Plain calls to the Kubernetes API. An error of the server carries HTTP's status as `code`."""

    async def get(self, path: str) -> Object: ...
    async def create(self, path: str, body: Object) -> Object: ...
    async def patch(self, path: str, body: Object) -> Object: ...
    async def delete(self, path: str) -> None: ...


@dataclass(frozen=True)
class Wish:
    """What a caller wants: the registry `name`, on `port` (0: a free one), for `login` only (None: everybody).

    `also` names further registries whose images the cluster's node shall pull from here.
    """

    name: str
    port: int = 0
    login: tuple[str, str] | None = None
    also: Sequence[str] = ()


class Installation:
    """The registries of one cluster. They keep their layers below `folder`, as files of the user we run as."""

    def __init__(self, cluster: Cluster, image: str, folder: Path) -> None:
        self.cluster = cluster
        self.image = image
        self.folder = folder

    async def add(self, wish: Wish) -> Registry:
        """Starts a registry or brings it to what is wished, and returns once it answers and its name is known.

        What is wanted already is left alone. `ImageError` tells why it does not come up.
        """
        service = service_name(wish.name)
        registry = Registry(
            name=wish.name,
            host_port=await self._port(wish, service),
            image=self.image,
            folder=str(self.folder / service),
            user_id=os.getuid(),
            password_file=await self._password_file(wish, service),
        )
        await asyncio.to_thread(Path(registry.folder).mkdir, mode=0o700, parents=True, exist_ok=True)
        for thing in registry.objects():
            await self._apply(f"{PATHS[thing['kind']]}/{thing['metadata']['name']}", thing)
        await self._up(registry)
        address = (await self.cluster.get(f"{PATHS['Service']}/{service}"))["spec"]["clusterIP"]
        await self._map(registry.mapping(address, wish.also))
        return registry

    async def remove(self, name: str) -> None:
        """Takes a registry and all that it keeps away; `ImageError` when there is none of that name."""
        service = service_name(name)
        found = await self._find(MAPPING) or {}
        keys = [key for key in found.get("data", {}) if key.split(".")[0] == service]
        if not keys and await self._find(f"{PATHS['Deployment']}/{service}") is None:
            raise ImageError(f"there is no registry '{name}' in this cluster; `shipline registry list` names those")
        if keys:
            await self.cluster.patch(MAPPING, {"data": dict.fromkeys(keys)})
        for kind in ("Deployment", "Service", "Secret"):
            await self.cluster.delete(f"{PATHS[kind]}/{service}")
        await self._gone(service)
        await asyncio.to_thread(shutil.rmtree, self.folder / service, ignore_errors=True)

    async def known(self) -> list[dict[str, str]]:
        """Each mapping of the cluster: `name`, `endpoint` and `address`, in the order of their names."""
        found = await self._find(MAPPING) or {}
        return sorted(map(json.loads, found.get("data", {}).values()), key=lambda entry: str(entry["name"]))

    async def _port(self, wish: Wish, service: str) -> int:
        """The port it has, else the one wished, else a free one that depends on its name."""
        deployment = await self._find(f"{PATHS['Deployment']}/{service}")
        if deployment:
            container = deployment["spec"]["template"]["spec"]["containers"][0]
            held: int = container["ports"][0]["hostPort"]
            if wish.port in (0, held):
                return held
        for port in [wish.port] if wish.port else _candidates(f"{self.folder}/{service}"):
            if _free(port):
                return port
        which = f"port {wish.port} of 127.0.0.1 is" if wish.port else "the ports 20000 to 29999 of 127.0.0.1 are"
        raise ImageError(f"the registry {wish.name} cannot start: {which} taken; choose another with --port")

    async def _password_file(self, wish: Wish, service: str) -> str:
        """The htpasswd line; the one that is there when it fits, so that the registry is not started anew."""
        if wish.login is None:
            return ""
        wanted = password.line(*wish.login)
        secret = await self._find(f"{PATHS['Secret']}/{service}")
        existing = base64.b64decode(secret["data"]["htpasswd"]).decode() if secret else ""
        return existing if existing and password.matches(existing, *wish.login) else wanted

    async def _apply(self, path: str, wanted: Object) -> None:
        if await self._find(path) is None:
            await self.cluster.create(path.rpartition("/")[0], wanted)
        else:
            await self.cluster.patch(path, wanted)

    async def _map(self, entries: dict[str, str]) -> None:
        namespace, name = MAPPINGS
        about = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}
        await self._apply(MAPPING, about | {"data": entries})

    async def _up(self, registry: Registry) -> None:
        """Waits until the registry is ready to be used."""
        path = f"{PATHS['Deployment']}/{registry.service}"
        why = "no pod was made"
        try:
            async with asyncio.timeout(LONGEST_START):
                while not _rolled_out(await self.cluster.get(path)):
                    for pod in await self._pods(registry.service):
                        reason, why = _trouble(pod)
                        if reason in HOPELESS:
                            raise ImageError(f"the registry {registry.name} does not start: {reason}: {why}")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise ImageError(
                f"the registry {registry.name} is not ready after {LONGEST_START:.0f} s: {why}; "
                f"`kubectl -n {NAMESPACE} describe pods` tells more"
            ) from None

    async def _gone(self, service: str) -> None:
        """Waits until no pod holds the registry's files and port any more."""
        for _ in range(int(LONGEST_START / 0.1)):
            if not await self._pods(service):
                return
            await asyncio.sleep(0.1)
        raise ImageError(f"the registry's pod does not end; `kubectl -n {NAMESPACE} get pods` shows it")

    async def _pods(self, service: str) -> list[Object]:
        return [pod for pod in (await self.cluster.get(PATHS["Pod"]))["items"] if _of(pod, service)]

    async def _find(self, path: str) -> Object | None:
        try:
            return await self.cluster.get(path)
        except Exception as error:
            if getattr(error, "code", 0) == 404:
                return None
            raise


def _rolled_out(deployment: Object) -> bool:
    status: dict[str, int] = deployment.get("status", {})
    generation: int = deployment["metadata"]["generation"]
    return (
        status.get("observedGeneration", 0) >= generation
        and status.get("updatedReplicas", 0) == 1
        and status.get("availableReplicas", 0) == 1
        and status.get("replicas", 0) == 1
    )


def _of(pod: Object, service: str) -> bool:
    labels: dict[str, str] = pod["metadata"].get("labels", {})
    return labels.get("app") == service


def _trouble(pod: Object) -> tuple[str, str]:
    """(reason, words) of what a pod's container waits for."""
    states: list[Any] = [status.get("state", {}) for status in pod["status"].get("containerStatuses", [])]
    waiting: dict[str, str] = next((state["waiting"] for state in states if "waiting" in state), {})
    reason = waiting.get("reason", "")
    return reason, waiting.get("message") or reason or f"the pod is {pod['status'].get('phase', 'Pending')}"


def _candidates(seed: str) -> Iterator[int]:
    start = zlib.crc32(seed.encode()) % 10000
    return (20000 + (start + step) % 10000 for step in range(10000))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
