"""The cluster's one process: API server, controllers, kubelet and network, until it is told to stop.

Started by `shipline.cluster.start`; says `ready` through the pipe it is given once the API answers and the node
is Ready. When it ends, by whatever means, the containers run on and the next daemon takes them over.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.api.names import timestamp
from shipline.cluster.api.pki import Pki
from shipline.cluster.api.server import Server, serve
from shipline.cluster.api.tokens import TokenKey, claims_for
from shipline.cluster.config import ClusterConfig, Home, registry_mappings
from shipline.cluster.engine import ContainerEngine
from shipline.cluster.errors import ClusterError
from shipline.cluster.events import EventRecorder
from shipline.cluster.kubelet.context import Node
from shipline.cluster.kubelet.images import Images
from shipline.cluster.kubelet.kubelet import Kubelet
from shipline.cluster.kubelet.node import NodeHeart, resources
from shipline.cluster.kubelet.request import NodeFacts
from shipline.cluster.kubelet.runtime import Runtime
from shipline.cluster.kubelet.sandbox import NameService
from shipline.cluster.kubelet.streams import Streams
from shipline.cluster.network import bridge as bridges
from shipline.cluster.network.bridge import Bridge
from shipline.cluster.network.node import NodeContainer
from shipline.cluster.network.reach import Reach, is_routed
from shipline.cluster.network.services import ServiceNetwork, mappings

Json = dict[str, Any]
log = logging.getLogger(__name__)

DOMAIN = "cluster.local"
REGISTRIES = "shipline-registries"
_DNS = 53
_LOG_SIZE = 5_000_000
_DIALS = 20


@contextmanager
def only_one(home: Home) -> Iterator[None]:
    """Hold the cluster's lock; ClusterError when another daemon does."""
    with open(home.lock, "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ClusterError(f"the cluster {home.name} already runs") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
        file.truncate(0)


class Daemon:
    """One cluster's parts, put together."""

    def __init__(self, home: Home, config: ClusterConfig) -> None:
        self._home = home
        self._config = config

    async def run(self, ready: int | None) -> None:
        """Serve until SIGTERM or SIGINT. `ready` is a pipe to say so through."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with await ContainerEngine.connect() as engine:
            bridge = await bridges.ensure(engine, self._config.name, self._config.subnet or None)
            api = Api(self._home.database, str(bridge.services))
            try:
                await self._serve(api, engine, bridge, ready, stop)
            finally:
                api.close()

    async def _serve(
        self, api: Api, engine: ContainerEngine, bridge: Bridge, ready: int | None, stop: asyncio.Event
    ) -> None:
        from shipline.cluster.controllers import run_all

        config, home = self._config, self._home
        name = config.name
        pki = Pki(home.pki)
        pki.ensure([bridge.gateway, bridge.api_service])
        node_container = NodeContainer(engine, name, bridge, DOMAIN)
        start_node = partial(node_container.start, config.node_image, name, tuple(config.dns))
        starting = asyncio.create_task(start_node())
        reach = Reach(engine, node_container.name, routed=engine.local)
        node = self._node(api, engine, bridge, reach, node_container.name, TokenKey(pki.token_key))
        kubelet, runtime = Kubelet(node), node.runtime
        servers, port = await self._listen(api, Streams(engine, kubelet), pki, bridge, engine)
        services = ServiceNetwork(api, node_container, reach, bridge.node, config.node_port_address, DOMAIN)
        node.withdrawn = services.withdrawn
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run_all(api, pki.authority_pem(), name), name="controllers")]
            await _first_namespaces(api)
            bootstrap(api, config, bridge, bridge.gateway, port)
            heart = NodeHeart(api, engine, name, bridge, node.recorder, lambda: runtime.trouble)
            heart.register()
            node_id = await starting
            search = _search_list() if engine.local else await node_container.search_list()
            node.names = NameService(bridge.node, DOMAIN, search)
            if not engine.local:
                bootstrap(api, config, bridge, await _host_seen_from(node_container) or bridge.gateway, port)
            for name_, coroutine in (
                ("heart", heart.run()),
                ("kubelet", kubelet.run()),
                ("services", services.run()),
                ("registries", _follow_registries(api, node.images, services)),
                ("reach", _check_reach(reach, bridge)),
                ("node", _keep_node(node_id, start_node, node_container, runtime, services)),
            ):
                tasks.append(group.create_task(coroutine, name=name_))
            log.info("the cluster %s is ready: https://127.0.0.1:%d", name, port)
            if ready is not None:
                os.write(ready, b"ready\n")
                os.close(ready)
            await stop.wait()
            log.info("stopping")
            for task in tasks:
                task.cancel()
        await services.close()
        await node_container.close()
        await asyncio.gather(*(server.stop() for server in servers))

    def _node(
        self, api: Api, engine: ContainerEngine, bridge: Bridge, reach: Reach, container: str, key: TokenKey
    ) -> Node:
        """What the kubelet works with. Names are searched for nowhere else as long as the node's container, which
        knows the host's search list, has not started."""
        name = self._config.name
        return Node(
            api=api,
            engine=engine,
            runtime=Runtime(engine, name),
            images=Images(api, engine, {}),
            recorder=EventRecorder(api, "kubelet", name),
            facts=NodeFacts(name, name, bridge.name, self._config.pause_image, container),
            bridge=bridge,
            reach=reach,
            names=NameService(bridge.node, DOMAIN, ()),
            issue_token=token_issuer(api, key),
            allocatable=resources(engine.info)[1],
        )

    async def _listen(
        self, api: Api, streams: Streams, pki: Pki, bridge: Bridge, engine: ContainerEngine
    ) -> tuple[list[Server], int]:
        """Open the API's port on the loopback, and on the bridge where that is an address of this machine."""
        wanted = self._config.port or _kept_port(self._home)
        try:
            server = await serve(api, streams, pki, [("127.0.0.1", wanted)])
        except ClusterError:
            if self._config.port:
                raise
            server = await serve(api, streams, pki, [("127.0.0.1", 0)])
        port = server.ports[0]
        pki.write_kubeconfig(self._home.kubeconfig, f"https://127.0.0.1:{port}", f"shipline-{self._config.name}")
        servers = [server]
        if engine.local:
            try:
                servers.append(await serve(api, streams, pki, [(bridge.gateway, port)]))
            except ClusterError as error:
                log.warning("pods cannot reach the API: %s", error)
        return servers, port


def _kept_port(home: Home) -> int:
    """The port of the last run, so that kubeconfigs handed out stay good."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(home.kubeconfig.read_text().split("https://127.0.0.1:")[1].split()[0])
    return 0


async def _first_namespaces(api: Api) -> None:
    """Let the controllers make what every cluster has before anything needs it."""
    for _ in range(100):
        with contextlib.suppress(ApiError):
            for namespace in ("default", "kube-system", "kube-node-lease"):
                api.stored("namespaces", None, namespace)
            return
        await asyncio.sleep(0.01)
    raise ClusterError("the namespaces of the cluster have not been made")


async def _check_reach(reach: Reach, bridge: Bridge) -> None:
    """Go through the node container where pods cannot be dialled from here; its name server is there to try."""
    for _ in range(_DIALS if reach.routed else 0):
        if await is_routed(bridge.node, _DNS):
            return
        await asyncio.sleep(0.1)
    reach.routed = False


def _search_list() -> tuple[str, ...]:
    """The domains in which this machine looks for short names."""
    with contextlib.suppress(OSError):
        for line in Path("/etc/resolv.conf").read_text().splitlines():
            if line.startswith("search "):
                return tuple(line.split()[1:])
    return ()


async def _host_seen_from(node: NodeContainer) -> str:
    """This machine's address as containers of an engine in another machine see it, "" when they cannot."""
    with contextlib.suppress(ClusterError):
        return (await node.run("getent ahostsv4 host.docker.internal | head -n 1")).partition(" ")[0].strip()
    log.warning("pods cannot reach the API: the container engine knows no host.docker.internal")
    return ""


def bootstrap(api: Api, config: ClusterConfig, bridge: Bridge, address: str, port: int) -> None:
    """The objects that a cluster begins with: the API's own Service, at `address` and `port` for pods, and the
    registries' ConfigMap."""
    registries = {"metadata": {"name": REGISTRIES}, "data": registry_mappings(config)}
    _apply(api, "configmaps", "kube-system", registries)
    labels = {"component": "apiserver", "provider": "kubernetes"}
    service = {
        "metadata": {"name": "kubernetes", "labels": labels},
        "spec": {
            "clusterIP": bridge.api_service,
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
        },
    }
    present = None
    with contextlib.suppress(ApiError):
        present = api.get("services", "default", "kubernetes")
    if present is not None and present["spec"]["clusterIP"] != bridge.api_service:
        api.delete("services", "default", "kubernetes")
    _apply(api, "services", "default", service)
    slice = {
        "metadata": {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    _apply(api, "endpointslices.discovery.k8s.io", "default", slice)
    endpoints = {
        "metadata": {"name": "kubernetes", "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [
            {
                "addresses": [{"ip": address}],
                "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
            }
        ],
    }
    _apply(api, "endpoints", "default", endpoints)


def _apply(api: Api, resource: str, namespace: str, wanted: Json) -> None:
    try:
        api.get(resource, namespace, wanted["metadata"]["name"])
    except ApiError:
        api.create(resource, namespace, wanted)
        return
    api.patch(resource, namespace, wanted["metadata"]["name"], wanted, "merge")


def token_issuer(api: Api, key: TokenKey) -> Any:
    """Signs the tokens of pods' volumes."""

    def issue(namespace: str, account: str, audience: str, seconds: int, pod: Json) -> str:
        found = api.get("serviceaccounts", namespace, account)
        # The API's own audience gets a year, as Kubernetes grants it, though the volume is refreshed as asked.
        return key.sign(claims_for(found, [audience] if audience else [], max(seconds, 600), pod))

    return issue


async def _keep_node(
    node_id: str,
    start: Callable[[], Awaitable[str]],
    container: NodeContainer,
    runtime: Runtime,
    services: ServiceNetwork,
) -> None:
    """Start the node container again whenever it has ended, for ever."""
    while True:
        await runtime.expect(node_id).wait()
        log.warning("the node container has ended; starting another")
        await container.close()
        trouble = ""
        while True:
            try:
                node_id = await start()
                break
            except ClusterError as error:
                if trouble != str(error):
                    trouble = str(error)
                    log.warning("%s", trouble)
                await asyncio.sleep(1)
        services.again()


async def _follow_registries(api: Api, images: Images, services: ServiceNetwork) -> None:
    """Honour `kube-system/shipline-registries` as it changes, for ever."""
    selector = f"metadata.name={REGISTRIES}"
    while True:
        with contextlib.suppress(ApiError):
            async for _, found in api.watch("configmaps", "kube-system", field_selector=selector):
                try:
                    endpoints, hosts = mappings(found)
                except (ValueError, KeyError, AttributeError) as error:
                    log.warning("the ConfigMap kube-system/%s cannot be read: %s", REGISTRIES, error)
                    continue
                images.endpoints = endpoints
                services.set_hosts(hosts)


def main(name: str, ready: int | None) -> int:
    """The daemon's process. Its exit status is 1 when it could not start; why is in the log and the pipe."""
    home = Home(name)
    home.make()
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        handlers=[RotatingFileHandler(home.log, maxBytes=_LOG_SIZE, backupCount=1)],
    )
    logging.getLogger("aiohttp").setLevel(logging.WARNING)
    try:
        config = home.read_config()
        logging.getLogger("shipline").setLevel(config.log_level)
        with only_one(home):
            asyncio.run(Daemon(home, config).run(ready))
    except ClusterError as error:
        log.error("%s", error)
        if ready is not None:
            with contextlib.suppress(OSError):
                os.write(ready, f"error {json.dumps(str(error))}\n".encode())
        return 1
    except BaseException:
        log.exception("the daemon of cluster %s has failed at %s", name, timestamp())
        raise
    return 0
