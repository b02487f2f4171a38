"""What a cluster is told when it starts, and where its files lie."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import msgspec

from shipline.cluster.errors import ClusterError

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")


class Registry(msgspec.Struct, frozen=True):
    """A registry known by one name everywhere in the cluster.

    `endpoint` (host:port) is where the container engine pulls from; `address` is where pods find the name: an
    address, or a Service (`registry.namespace.svc.cluster.local`).
    """

    endpoint: str = ""
    address: str = ""


class ClusterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster's configuration. Everything has a default; what is given is kept for later starts."""

    name: str = "default"
    port: int = 0
    """The API's port on the loopback; 0 takes a free one, and keeps it."""
    subnet: str = ""
    """The network of pods and Services, a /8 to /26; "" takes a free one."""
    node_port_address: str = "127.0.0.1"
    """Where node ports listen on this machine."""
    registries: dict[str, Registry] = {}
    hosts: dict[str, str] = {}
    """Further names that pods resolve."""
    dns: list[str] = []
    """Name servers for all other names; empty: the engine's host's."""
    log_level: str = "INFO"
    pause_image: str = "shipline/pause"
    node_image: str = "shipline/node"


class Home:
    """The files of one cluster, below `$SHIPLINE_HOME` or the user's state directory."""

    def __init__(self, name: str) -> None:
        if not _NAME.match(name):
            raise ClusterError(f"{name!r} cannot name a cluster: use up to 32 small letters, digits and dashes")
        self.name = name
        self.directory = clusters_directory() / name
        self.database = self.directory / "cluster.db"
        self.pki = self.directory / "pki"
        self.kubeconfig = self.directory / "kubeconfig"
        self.log = self.directory / "daemon.log"
        self.lock = self.directory / "daemon.pid"
        self.config = self.directory / "config.json"

    def make(self) -> None:
        """Make the directory, for its owner alone."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ClusterError(f"{self.directory} cannot be made: {error.strerror}. Set SHIPLINE_HOME.") from None

    def read_config(self) -> ClusterConfig:
        """The configuration of the last start; the defaults before the first."""
        try:
            return msgspec.json.decode(self.config.read_bytes(), type=ClusterConfig)
        except FileNotFoundError:
            return ClusterConfig(name=self.name)
        except msgspec.MsgspecError as error:
            raise ClusterError(
                f"{self.config} cannot be read: {error}. Remove it to begin with defaults."
            ) from None

    def write_config(self, config: ClusterConfig) -> None:
        """Keep a configuration for later starts."""
        self.config.write_bytes(msgspec.json.format(msgspec.json.encode(config)))
        self.config.chmod(0o600)


def clusters_directory() -> Path:
    """Where clusters live."""
    home = os.environ.get("SHIPLINE_HOME")
    base = (
        Path(home) if home else Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "shipline"
    )
    return base / "clusters"


def registry_mappings(config: ClusterConfig) -> dict[str, str]:
    """The entries of the ConfigMap `kube-system/shipline-registries` that the configuration asks for.

    That ConfigMap is what counts while the cluster runs: each value is JSON with `name`, and with `endpoint` and
    `address` where they are given, as in `Registry`. Others may add entries under keys of their own.
    """
    entries = {name: {"endpoint": one.endpoint, "address": one.address} for name, one in config.registries.items()}
    entries |= {name: {"address": address} for name, address in config.hosts.items()}
    return {
        "config." + name.replace(":", "_"): json.dumps({"name": name} | entry) for name, entry in entries.items()
    }
