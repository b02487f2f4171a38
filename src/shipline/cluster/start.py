"""Starting, stopping, looking at and deleting clusters, from any process of the same user.

All functions block; none needs an event loop. A cluster's daemon is a process of its own, so it outlives the
command that started it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipline.cluster import labels
from shipline.cluster.config import ClusterConfig, Home, clusters_directory
from shipline.cluster.errors import ClusterError, ContainerEngineError

if TYPE_CHECKING:
    from shipline.cluster.engine import ContainerEngine

_START_TIMEOUT = 90.0
_STOP_TIMEOUT = 15.0
_REMOVALS = 20


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """A cluster as it is: `state` is running, stopped or absent; `pid` is the daemon's, 0 without one."""

    name: str
    state: str
    pid: int
    kubeconfig: Path
    server: str


def start(name: str = "default", config: ClusterConfig | None = None) -> Path:
    """Start a cluster and wait until its API answers and its node is Ready; one that runs is left as it is.

    `config` replaces what an earlier start was told; None keeps it. Returns the path of the kubeconfig.
    Raises ClusterError saying why it cannot start.
    """
    home = Home(name)
    home.make()
    with open(home.directory / "start.lock", "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # whoever starts the same cluster now finds it running afterwards
        if config is not None:
            home.write_config(config)
        elif not home.config.exists():
            home.write_config(ClusterConfig(name=name))
        if not _daemon(home):
            _start_daemon(home)
    return home.kubeconfig


def _start_daemon(home: Home) -> None:
    """Start the daemon and hear whether it is ready."""
    reading, writing = os.pipe()
    try:
        with open(home.log, "ab") as log:
            home.log.chmod(0o600)
            process = subprocess.Popen(
                [sys.executable, "-m", "shipline.cluster", "--name", home.name, "--ready", str(writing)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(writing,),
                start_new_session=True,
                cwd="/",
            )
        os.close(writing)
        writing = -1
        said = _wait(reading, process)
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    if said.startswith("error "):
        raise ClusterError(json.loads(said.removeprefix("error ")))
    if not said.startswith("ready"):
        raise ClusterError(f"the daemon of cluster {home.name} has ended while it started; {home.log} says why")


def _wait(pipe: int, process: subprocess.Popen[bytes]) -> str:
    """What the daemon says first; "" when it ends without a word."""
    import select

    end = time.monotonic() + _START_TIMEOUT
    said = b""
    while not said.endswith(b"\n"):
        left = end - time.monotonic()
        if left <= 0:
            process.terminate()
            raise ClusterError(f"the cluster's daemon was not ready within {_START_TIMEOUT:.0f} s")
        if not select.select([pipe], [], [], left)[0]:
            continue
        chunk = os.read(pipe, 65536)
        if not chunk:
            break
        said += chunk
    return said.decode().strip()


def _daemon(home: Home) -> int:
    """The process id of a running daemon, 0 for none: it holds the lock as long as it lives."""
    try:
        with open(home.lock, "r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return int(file.read().strip() or "-1")
    except FileNotFoundError:
        pass
    return 0


def status(name: str = "default") -> ClusterStatus:
    """How a cluster is."""
    home = Home(name)
    pid = _daemon(home)
    server = ""
    with contextlib.suppress(OSError, IndexError):
        server = home.kubeconfig.read_text().split("server: ")[1].split()[0]
    state = "running" if pid else "stopped" if home.database.exists() else "absent"
    return ClusterStatus(name, state, max(pid, 0), home.kubeconfig, server)


def clusters() -> list[str]:
    """The names of all clusters of this user, running or not."""
    directory = clusters_directory()
    return sorted(one.name for one in directory.iterdir() if one.is_dir()) if directory.is_dir() else []


def stop(name: str = "default") -> bool:
    """Stop a cluster, daemon and containers; its state stays for the next start. False: it did not run."""
    home = Home(name)
    ran = _stop_daemon(home)
    asyncio.run(_stop_containers(name))
    return ran


def _stop_daemon(home: Home) -> bool:
    pid = _daemon(home)
    if not pid:
        return False
    end = time.monotonic() + _STOP_TIMEOUT
    number = signal.SIGTERM
    while (pid := _daemon(home)) != 0:
        if pid > 0:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if time.monotonic() > end:
            number = signal.SIGKILL
        time.sleep(0.05)
    return True


async def _stop_containers(name: str) -> None:
    from shipline.cluster.engine import ContainerEngine

    async with await ContainerEngine.connect() as engine:
        running = await engine.find("containers/json", [labels.of_cluster(name)])
        plain, networked = _by_network(running)
        await asyncio.gather(*(engine.post(f"containers/{one}/stop", t=1) for one in plain))
        for one in networked:  # one after the other: see engine.Turn
            await engine.post(f"containers/{one}/kill", signal="SIGKILL")


def _by_network(containers: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """The ids of containers without and with a network of their own."""
    roles = {one["Id"]: (one.get("Labels") or {}).get(labels.ROLE) for one in containers}
    networked = [one for one, role in roles.items() if role in (labels.SANDBOX, labels.NODE)]
    return [one for one in roles if one not in networked], networked


def delete(name: str = "default") -> bool:
    """Remove a cluster with everything it made: containers, volumes, network, files. False: there was nothing.

    Works also where the daemon is dead or the files are gone. Images stay, as a cache.
    """
    home = Home(name)
    there = home.directory.exists()
    _stop_daemon(home)
    removed = asyncio.run(_remove(name))
    shutil.rmtree(home.directory, ignore_errors=True)
    return there or removed


async def _remove(name: str) -> bool:
    """Remove all that carries the cluster's label, until there is no more: what a daemon that was killed had
    asked for may appear only now. Whether there was anything."""
    from shipline.cluster.engine import ContainerEngine

    found = False
    async with await ContainerEngine.connect() as engine:
        for attempt in range(_REMOVALS):
            try:
                if not await _remove_once(engine, name):
                    return found
            except ContainerEngineError:
                if attempt == _REMOVALS - 1:
                    raise
                await asyncio.sleep(0.3)
            found = True
    return found


async def _remove_once(engine: ContainerEngine, name: str) -> bool:
    mine = [labels.of_cluster(name)]
    containers = await engine.find("containers/json", mine, all=True)
    plain, networked = _by_network(containers)
    await asyncio.gather(*(engine.delete(f"containers/{one}", force=True, v=True) for one in plain))
    for one in networked:  # one after the other: see engine.Turn
        await engine.delete(f"containers/{one}", force=True, v=True)
    volumes = await engine.find("volumes", mine)
    await asyncio.gather(*(engine.delete(f"volumes/{one['Name']}", force=True) for one in volumes))
    networks = await engine.find("networks", mine)
    for network in networks:
        await engine.delete(f"networks/{network['Id']}")
    return bool(containers or volumes or networks)
