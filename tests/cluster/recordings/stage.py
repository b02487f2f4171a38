"""Puts up what the recordings had around them: a cluster, the image `busybox:1.36`, a registry with a password that
knows the seed's application in two versions, and the seed's manifest.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from ipaddress import IPv4Network
from pathlib import Path

from tests.cluster.recordings.normalise import Place
from tests.cluster.recordings.replay import ROOT, Stage, give

CALCULATOR = ROOT / "examples" / "calculator"
REGISTRY = "private-registry.example.com"
REPOSITORY = "my-namespace/my-app"
VERSIONS = {"56cc4792-86": "1.0", "6f0a9d21-87": "1.1"}
"""Tag of the image -> version that the application says it has."""

USER, PASSWORD = "robot", "s3cret-Pass"
ENVSUBST = """\
#!/usr/bin/env python3
import os, re, sys
sys.stdout.write(re.sub(r"\\$\\{(\\w+)\\}", lambda name: os.environ.get(name[1], ""), sys.stdin.read()))
"""
"""For machines without gettext."""

BUSYBOX = """\
FROM shipline/pause:latest
ENV PATH=/bin
RUN echo root:x:0:0:root:/root:/bin/sh > /etc/passwd
ENTRYPOINT []
CMD ["sh"]
"""


async def docker(*arguments: str, given: str = "") -> str:
    """Run one docker command; its output."""
    process = await asyncio.create_subprocess_exec(
        "docker",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
    )
    out, err = await process.communicate(given.encode())
    assert process.returncode == 0, f"docker {' '.join(arguments[:2])}: {err.decode()}"
    return out.decode().strip()


async def images() -> None:
    """Have the system images and `busybox:1.36` on the engine; the latter only if nobody has it yet."""
    import aiodocker

    from shipline import images as system

    async with aiodocker.Docker() as engine:
        await system.ensure(engine, ["pause", "node", "registry", "python-3.9-slim"])
    if not await docker("images", "-q", "busybox:1.36"):
        await docker("build", "-q", "-t", "busybox:1.36", "-", given=BUSYBOX)


@asynccontextmanager
async def registry() -> AsyncIterator[str]:
    """A registry with a password that holds the application; its address on this machine."""
    import bcrypt

    name = f"shipline-recordings-registry-{secrets.token_hex(3)}"
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    with tempfile.TemporaryDirectory() as folder:
        _write(folder, "htpasswd", f"{USER}:{hashed}\n")
        await docker(
            *("create", "--name", name, "--label", "shipline.test=recordings", "-p", "127.0.0.1::5000"),
            *("-e", "REGISTRY_AUTH=htpasswd", "-e", "REGISTRY_AUTH_HTPASSWD_REALM=basic-realm"),
            *("-e", "REGISTRY_AUTH_HTPASSWD_PATH=/htpasswd", "shipline/registry:latest"),
        )
        await docker("cp", f"{folder}/htpasswd", f"{name}:/htpasswd")
        try:
            await docker("start", name)
            address = (await docker("port", name, "5000/tcp")).splitlines()[0]
            await _answers(address)
            _write(folder, "config.json", "{}")
            await docker(*("--config", folder, "login", "-u", USER, "--password-stdin", address), given=PASSWORD)
            names = [f"{address}/{REPOSITORY}:{tag}" for tag in VERSIONS]
            for image, version in zip(names, VERSIONS.values(), strict=True):
                await build_application(image, version)
                await docker("--config", folder, "push", "-q", image)
            await docker("rmi", *names)
            yield address
        finally:
            await docker("rm", "-f", "-v", name)
            for tag in VERSIONS:  # what clusters pulled; absent where none did
                with suppress(AssertionError):
                    await docker("rmi", f"{REGISTRY}/{REPOSITORY}:{tag}")


async def _answers(address: str) -> None:
    """Wait until a registry answers."""
    import aiohttp

    async with aiohttp.ClientSession() as session, asyncio.timeout(20):
        while True:
            try:
                async with session.get(f"http://{address}/v2/"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


async def build_application(image: str, version: str) -> None:
    """The seed's application, from its own Dockerfile, on the system's Python image."""
    with tempfile.TemporaryDirectory() as folder:
        _copy_application(Path(folder), version)
        await docker("build", "-q", "-t", image, folder)


def _copy_application(folder: Path, version: str) -> None:
    texts = {file.name: file.read_text() for file in CALCULATOR.iterdir() if file.is_file()}
    texts["Dockerfile"] = texts["Dockerfile"].replace("python:3.9-slim", "shipline/python-3.9-slim:latest")
    texts["app.py"] = texts["app.py"].replace('"1.0"', f'"{version}"')
    for name, text in texts.items():
        _write(folder, name, text)


def _write(folder: str | Path, name: str, text: str) -> None:
    Path(folder, name).write_text(text)


@asynccontextmanager
async def fresh(registry: str = "", keep: bool = False) -> AsyncIterator[Stage]:
    """A stage with a new cluster that knows the registry at `registry`, if there is one.

    The cluster is deleted in the end unless it is to be kept.
    """
    from shipline import cluster

    name = f"recordings-{secrets.token_hex(3)}"
    registries = {REGISTRY: cluster.Registry(endpoint=registry)} if registry else {}
    config = cluster.ClusterConfig(name=name, registries=registries, node_port_address=_loopback())
    async with AsyncExitStack() as stack:
        if not keep:
            stack.push_async_callback(asyncio.to_thread, cluster.delete, name)
        kubeconfig = await asyncio.to_thread(cluster.start, name, config)
        if keep:
            print(f"cluster {name}: KUBECONFIG={kubeconfig}")
        yield await stack.enter_async_context(existing(kubeconfig))


def _loopback() -> str:
    """An address of this machine's own for node ports, so that clusters side by side don't take each other's."""
    return ".".join(["127", *(str(1 + secrets.randbelow(253)) for _ in range(3))])


@asynccontextmanager
async def existing(kubeconfig: Path) -> AsyncIterator[Stage]:
    """A stage with a cluster that runs."""
    with tempfile.TemporaryDirectory(prefix="shipline-recordings-") as home:
        yield await _stage(kubeconfig, _workplace(Path(home)))


def _workplace(home: Path) -> Path:
    """A directory to work in, with what the recorded commands find beside it."""
    (home / "calculator.yaml").write_text((CALCULATOR / "calculator.yaml").read_text())
    work = home / "work"
    (work / "bin").mkdir(parents=True)
    (work / "bin" / "envsubst").write_text(ENVSUBST)
    (work / "bin" / "envsubst").chmod(0o755)
    return work


async def _stage(kubeconfig: Path, work: Path) -> Stage:
    nowhere = Place("?", "?", IPv4Network("0.0.0.0/32"), IPv4Network("0.0.0.0/32"), ())
    asked = await give("kubectl get nodes,svc -A -o json", Stage(kubeconfig, work, nowhere))
    assert asked.status == 0, asked.stderr
    items = json.loads(asked.stdout)["items"]
    node = next(item for item in items if item["kind"] == "Node")
    address = next(one["address"] for one in node["status"]["addresses"] if one["type"] == "InternalIP")
    service = next(item for item in items if item["kind"] == "Service" and item["metadata"]["name"] == "kubernetes")
    server = (
        await give(
            "kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server}'",
            Stage(kubeconfig, work, nowhere),
        )
    ).stdout
    place = Place(
        node["metadata"]["name"],
        address,
        IPv4Network(node["spec"]["podCIDR"]),
        IPv4Network(f"{service['spec']['clusterIP']}/17", strict=False),
        (server,),
    )
    return Stage(kubeconfig, work, place)
