"""A pod's sandbox: the pause container that holds its network namespace and its directory.

The sandbox gets all it needs through its standard input while it starts: the volumes' content, /etc/hosts and
/etc/resolv.conf, as one tar. That costs no request of its own, and secrets never appear in what the engine
stores of the container.
"""

from __future__ import annotations

import asyncio
import io
import tarfile
from dataclasses import dataclass
from typing import Any

from shipline.cluster.engine import STDOUT, Attached, ContainerEngine
from shipline.cluster.errors import ContainerEngineError
from shipline.cluster.kubelet import request
from shipline.cluster.kubelet.projection import File, add_directory, add_file
from shipline.cluster.kubelet.volumes import DISK, PodVolumes

Json = dict[str, Any]

_START_TIMEOUT = 60.0

_HOSTS = """\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


class SandboxError(Exception):
    """The sandbox cannot be made: FailedCreatePodSandBox."""


@dataclass(frozen=True, slots=True)
class NameService:
    """How pods resolve names: the cluster's server, its domain, and the host's search list."""

    server: str
    domain: str
    search: tuple[str, ...]


class Sandbox:
    """One sandbox. `create`, then `start`; `update` changes rendered volumes while it runs."""

    def __init__(self, engine: ContainerEngine, pod: Json, volumes: PodVolumes, address: str) -> None:
        self._engine = engine
        self._pod = pod
        self._volumes = volumes
        self.address = address
        self.id = ""

    async def create(self, facts: request.NodeFacts) -> None:
        """Have the engine create the container, without starting it."""
        body = request.sandbox(self._pod, facts, self.address, self._volumes.sandbox_mounts())
        metadata = self._pod["metadata"]
        name = f"shipline_{facts.cluster}_{metadata['namespace']}_{metadata['name']}_{metadata['uid'][:8]}"
        self.id = await create_named(self._engine, name[:200], body)

    async def start(self, rendered: dict[str, dict[str, File]], names: NameService, fill: bool) -> None:
        """Start it and wait until the pod's directory is there; SandboxError with the engine's words.

        `fill` is False for a directory that an earlier sandbox has filled: emptyDirs stay as they are.
        """
        archive = _joined(self._volumes.archive(rendered, fill), self._own_files(names))
        attached = await self._engine.attach(
            f"containers/{self.id}/attach?stream=1&stdin=1&stdout=1&stderr=1", tty=False
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                # Shielded: who gives up waiting must not end the turn before the engine has ended its work.
                await asyncio.gather(asyncio.shield(self._begin()), attached.write(archive))
                attached.close_write()
                await _ready(attached)
        except TimeoutError:
            raise SandboxError(f"the sandbox has not started within {_START_TIMEOUT:.0f} s") from None
        except (ContainerEngineError, ConnectionError) as error:
            raise SandboxError(str(error)) from None
        finally:
            await attached.close()

    async def _begin(self) -> None:
        async with self._engine.network.joins():
            await self._engine.post(f"containers/{self.id}/start")

    async def update(self, rendered: dict[str, dict[str, File]]) -> None:
        """Put changed rendered volumes in the place of the old, each by one rename."""
        archive = self._volumes.archive(rendered, first=False)
        script = [
            "umask 0; mkdir -p /staged && tar -xpf - -C /staged && cd /staged/memory && for v in *; do "
            "new=$(readlink $v/..data); old=$(readlink /memory/$v/..data); "
            "cp -a $v/$new /memory/$v/ && cp -a $v/..data /memory/$v/..data_tmp && "
            "mv -T /memory/$v/..data_tmp /memory/$v/..data && rm -rf /memory/$v/$old; "
            "for l in $v/*; do [ ! -L $l ] || cp -a $l /memory/$v/; done; "
            "for l in /memory/$v/*; do [ -e $l ] || rm -f $l; done; done; rm -rf /staged"
        ]
        code, output = await self._engine.execute(self.id, ["sh", "-c", *script], archive)
        if code:
            raise SandboxError(output.decode(errors="replace").strip())

    def _own_files(self, names: NameService) -> dict[str, bytes]:
        spec = self._pod["spec"]
        # A pod on the host's network shares the node's files; its containers bind these instead.
        place = f"{DISK}/etc" if spec.get("hostNetwork") else "/own"
        files = {f"{place}/hosts": hosts(self._pod, self.address).encode()}
        if (resolver := resolv_conf(self._pod, names)) is not None:
            files[f"{place}/resolv.conf"] = resolver.encode()
        return files


def hosts(pod: Json, address: str) -> str:
    """/etc/hosts as the kubelet writes it."""
    name, domain = request.hostname(pod)
    text = _HOSTS + "\t".join([address, *([f"{name}.{domain}"] if domain else []), name]) + "\n"
    if aliases := pod["spec"].get("hostAliases"):
        text += "\n# Entries added by HostAliases.\n"
        text += "".join("\t".join([alias["ip"], *(alias.get("hostnames") or [])]) + "\n" for alias in aliases)
    return text


def resolv_conf(pod: Json, names: NameService) -> str | None:
    """/etc/resolv.conf by dnsPolicy and dnsConfig; None leaves the engine's own."""
    spec = pod["spec"]
    policy, own = spec.get("dnsPolicy", "ClusterFirst"), spec.get("dnsConfig") or {}
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    if policy == "Default" and not own:
        return None
    servers: list[str] = []
    search: list[str] = []
    options: dict[str, str | None] = {}
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet"):
        namespace = pod["metadata"]["namespace"]
        servers = [names.server]
        search = [f"{namespace}.svc.{names.domain}", f"svc.{names.domain}", names.domain, *names.search]
        options = {"ndots": "5"}
    elif policy == "Default":
        servers, search, options = ["127.0.0.11"], list(names.search), {"ndots": "0"}
    servers += [server for server in own.get("nameservers") or [] if server not in servers]
    search += [domain for domain in own.get("searches") or [] if domain not in search]
    options |= {option["name"]: option.get("value") for option in own.get("options") or []}
    lines = [f"search {' '.join(search)}"] if search else []
    lines += [f"nameserver {server}" for server in servers[:3]]
    if options:
        lines.append("options " + " ".join(f"{k}:{v}" if v is not None else k for k, v in options.items()))
    return "\n".join(lines) + "\n"


async def create_named(engine: ContainerEngine, name: str, body: Json) -> str:
    """Create a container; one left over under its name is removed first. Its id."""
    try:
        made = await engine.post("containers/create", body, name=name)
    except ContainerEngineError as error:
        if error.status != 409:
            raise
        await engine.delete(f"containers/{name}", force=True, v=True)
        made = await engine.post("containers/create", body, name=name)
    return str(made["Id"])


async def _ready(attached: Attached) -> None:
    said, complaint = b"", b""
    async for stream, data in attached.output():
        if stream == STDOUT:
            said += data
            if b"ready\n" in said:
                return
        else:
            complaint += data
    raise SandboxError(complaint.decode(errors="replace").strip() or "the sandbox has ended while it started")


def _joined(archive: bytes, files: dict[str, bytes]) -> bytes:
    """A tar with more files added at its end."""
    buffer = io.BytesIO(archive)
    with tarfile.open(fileobj=buffer, mode="a", format=tarfile.GNU_FORMAT) as tar:
        for directory in {path.rsplit("/", 1)[0] for path in files}:
            add_directory(tar, directory, 0o755)
        for path, content in files.items():
            add_file(tar, path, content)
    return buffer.getvalue()
