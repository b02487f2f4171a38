"""The node container: the address of the node, the router of Services and the pods' name server.

One shell in it lives as long as the daemon and takes its orders, so that a change costs no new process in the
container engine.
"""

from __future__ import annotations

import asyncio
import shlex
from typing import Any

from shipline.cluster import labels
from shipline.cluster.engine import STDOUT, Attached, ContainerEngine
from shipline.cluster.errors import ClusterError, ContainerEngineError
from shipline.cluster.network.bridge import Bridge

Json = dict[str, Any]

_START_TIMEOUT = 30.0
# Answers for the whole range of Services, forwards to pods, and drops the ICMP redirects that hairpins cause.
_SCRIPT = """
set -e
ip route replace local {services} dev lo
mkdir -p /run/shipline && : >/run/shipline/hosts
iptables -C OUTPUT -p icmp --icmp-type redirect -j DROP 2>/dev/null ||
    {{ iptables-nft -L -n >/dev/null 2>&1 || update-alternatives --set iptables /usr/sbin/iptables-legacy
    iptables -A OUTPUT -p icmp --icmp-type redirect -j DROP; }}
exec dnsmasq --keep-in-foreground --no-hosts --addn-hosts=/run/shipline/hosts --local=/{domain}/ \
    --bogus-priv --cache-size=1000 --local-ttl=5 --neg-ttl=5 --no-negcache --user=root \
    --listen-address={address} --bind-interfaces --pid-file=/run/shipline/dnsmasq.pid {upstream}
"""


class NodeContainer:
    """The node container of one cluster. `start` before anything else."""

    def __init__(self, engine: ContainerEngine, cluster: str, bridge: Bridge, domain: str) -> None:
        self._engine = engine
        self._cluster = cluster
        self._bridge = bridge
        self._domain = domain
        self.name = f"shipline-{cluster}-node"
        self._shell: Attached | None = None
        self._output: Any = None
        self._turn = asyncio.Lock()

    async def start(self, image: str, hostname: str, upstream: tuple[str, ...]) -> str:
        """Start it, or take over the one that runs; its id. `upstream` name servers replace the host's."""
        try:
            found = await self._engine.get(f"containers/{self.name}/json")
            wanted = (await self._engine.get(f"images/{image}/json"))["Id"]
            if found["State"]["Running"] and found["Image"] == wanted:
                return str(found["Id"])
        except ContainerEngineError as error:
            if error.status != 404:
                raise
        try:
            async with self._engine.network.joins():
                await self._engine.delete(f"containers/{self.name}", force=True)
                body = self._request(image, hostname, upstream)
                made = await self._engine.post("containers/create", body, name=self.name)
                await self._engine.post(f"containers/{self.name}/start")
        except ContainerEngineError as error:
            raise ClusterError(f"the node container cannot be started from {image}: {error}") from None
        return str(made["Id"])

    def _request(self, image: str, hostname: str, upstream: tuple[str, ...]) -> Json:
        servers = ["--no-resolv", *(f"--server={server}" for server in upstream)] if upstream else []
        script = _SCRIPT.format(
            services=self._bridge.services,
            domain=self._domain,
            address=self._bridge.node,
            upstream=shlex.join(servers),
        )
        endpoint = {"IPAMConfig": {"IPv4Address": self._bridge.node}}
        return {
            "Image": image,
            "Hostname": hostname,
            "Entrypoint": ["sh", "-c", script],
            "Labels": {labels.CLUSTER: self._cluster, labels.ROLE: labels.NODE},
            "HostConfig": {
                "NetworkMode": self._bridge.name,
                "CapAdd": ["NET_ADMIN", "NET_RAW"],
                "Sysctls": {"net.ipv4.ip_forward": "1"},
                "ExtraHosts": ["host.docker.internal:host-gateway"],
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "1"}},
            },
            "NetworkingConfig": {"EndpointsConfig": {self._bridge.name: endpoint}},
        }

    async def search_list(self) -> tuple[str, ...]:
        """The domains in which the engine's host looks for short names."""
        return tuple((await self.run("sed -n 's/^search //p' /etc/resolv.conf")).split())

    async def run(self, script: str) -> str:
        """Run a script in the node's shell; its output. ClusterError when it ends with another status than 0."""
        async with self._turn:
            if self._shell is None:
                await self._open()
            try:
                async with asyncio.timeout(_START_TIMEOUT):
                    return await self._say(script)
            except (ConnectionError, EOFError, TimeoutError):
                await self.close()
                raise ClusterError(f"the node container {self.name} does not answer") from None

    async def _open(self) -> None:
        body = {"Cmd": ["sh"], "AttachStdin": True, "AttachStdout": True, "AttachStderr": True}
        try:
            created = await self._engine.post(f"containers/{self.name}/exec", body)
            self._shell = await self._engine.attach(f"exec/{created['Id']}/start", {"Detach": False, "Tty": False})
        except ContainerEngineError as error:
            raise ClusterError(f"the node container {self.name} does not run: {error}") from None
        self._output = self._shell.output()

    async def _say(self, script: str) -> str:
        assert self._shell is not None
        mark = "--- done "
        await self._shell.write(f"{{ {script}\n}} 2>&1 </dev/null; printf '\\n{mark}%s\\n' $?\n".encode())
        said = b""
        while f"\n{mark}".encode() not in said or not said.endswith(b"\n"):
            try:
                stream, data = await anext(self._output)
            except StopAsyncIteration:
                raise EOFError from None
            said += data if stream == STDOUT else b""
        text, _, code = said.decode(errors="replace").rpartition(f"\n{mark}")
        if code.strip() != "0":
            raise ClusterError(f"in the node container: {text.strip()}")
        return text

    async def close(self) -> None:
        """Let the shell go; the container runs on."""
        shell, self._shell = self._shell, None
        if shell is not None:
            shell.close_write()
            await shell.close()
