"""The runners of this process: as the configuration file says, else one that runs everything."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from shipline.cli.state import config_path, home

if TYPE_CHECKING:
    from pathlib import Path

    from shipline.cli.options import Where
    from shipline.runner import ConfigFile, RunnerConfig

AT_ONCE = 8
"""Jobs at a time, where nobody says how many."""
LOG_LIMIT = 256 << 10
"""KiB that are kept of a job's log, where the configuration says nothing: on one's own disk there is room."""
SYSTEM_IMAGES = ("pause", "node", "helper")
"""What the embedded cluster and the pods of jobs are made with."""


class Hands(NamedTuple):
    """The runners, how many jobs they run at a time together, and the seconds between two questions for one.
    `with_pods` gives the runners for jobs with an image, where these are for none. No job gets more than `longest`
    seconds. `config` is the configuration file that was named."""

    runners: list[RunnerConfig]
    at_most: int
    check_interval: int = 0
    with_pods: Callable[[], Hands] | None = None
    longest: int | None = None
    config: Path | None = None


def runners(where: Where, pods: bool, say: Callable[[str], None]) -> Hands:
    """Who runs the jobs. `pods`: some job has an image, so a cluster is needed; where none is named, the embedded
    one is started. Raises RunnerError, ClusterError, ImageError."""
    file = settings(where.config)
    for warning in file.warnings:
        say(f"Warning: {warning}")
    configs, at_once, interval = file.runners, file.concurrent, file.check_interval
    configs = [_local(config, where) for config in configs]
    if where.kubeconfig or where.context:
        aim = {"kubeconfig": str(where.kubeconfig or ""), "context": where.context or ""}
        configs = [msgspec.structs.replace(config, **aim) for config in configs]
    pods = pods or any(config.executor == "kubernetes" or config.kubernetes.image for config in configs)
    if pods and any(_aimless(config) for config in configs):
        kubeconfig = _embedded(where.cluster, say)
        configs = [
            msgspec.structs.replace(config, kubeconfig=kubeconfig) if _aimless(config) else config
            for config in configs
        ]
    more = None if pods else lambda: runners(where, True, say)
    return Hands(configs, where.concurrency or at_once, interval, more, where.timeout, where.config)


def _local(config: RunnerConfig, where: Where) -> RunnerConfig:
    """A runner of one's own machine: with longer logs than a server's, and as the command line says."""
    executor = where.executor or ("kubernetes" if where.image and config.executor == "auto" else config.executor)
    return msgspec.structs.replace(
        config,
        executor=executor,
        kubernetes=msgspec.structs.replace(config.kubernetes, image=where.image or config.kubernetes.image),
        output_limit=config.output_limit or LOG_LIMIT,
        sites_dir=str(home() / "sites"),
        keep_failed=where.keep_failed,
    )


def settings(config: Path | None) -> ConfigFile:
    """The configuration file, with at least one runner, which keeps caches in the state directory unless it says
    otherwise. Raises RunnerError."""
    from shipline.runner import ConfigFile, RunnerConfig

    path = config or config_path()
    there = config or os.environ.get("SHIPLINE_CONFIG") or path.exists()
    file = ConfigFile.load(path) if there else ConfigFile(concurrent=AT_ONCE)
    kept = str(home() / "cache")
    file.runners = file.runners or [RunnerConfig()]
    for runner in file.runners:
        runner.cache_dir = runner.cache_dir or kept
    return file


def _aimless(config: RunnerConfig) -> bool:
    """Whether nothing says which cluster the runner's pods are for; in a pod, it is the pod's own."""
    from shipline.runner.kubernetes.kubeconfig import IN_CLUSTER

    if IN_CLUSTER.joinpath("token").exists():
        return False
    return not (config.kubeconfig or config.context or config.kubernetes.host or config.executor == "shell")


def _embedded(name: str, say: Callable[[str], None]) -> str:
    """The kubeconfig of the embedded cluster, which is started, with the images it needs, unless it runs."""
    from shipline import cluster

    status = cluster.status(name)
    if status.state == "running":
        return str(status.kubeconfig)
    asyncio.run(_images(say))
    say(f"Starting the embedded cluster '{name}' ...")
    return str(cluster.start(name))


async def _images(say: Callable[[str], None]) -> None:
    from shipline.images import connect, ensure

    async with connect() as engine:
        await ensure(engine, SYSTEM_IMAGES, say)
