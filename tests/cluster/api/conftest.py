"""A real API server on a free port, real kubectl to speak to it, and a node whose containers are programs here."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.cluster.api.laptop_node import LaptopNode

from shipline.cluster.api.machinery import Api
from shipline.cluster.api.pki import Pki
from shipline.cluster.api.server import Server, serve

KUBERNETES = {"metadata": {"name": "kubernetes"}, "spec": {"ports": [{"name": "https", "port": 443}]}}


class Cluster:
    """An API server and the way to it."""

    def __init__(self, api: Api, server: Server, pki: Pki, kubeconfig: Path) -> None:
        self.api = api
        self.server = server
        self.pki = pki
        self.kubeconfig = kubeconfig
        self.url = f"https://127.0.0.1:{server.ports[0]}"

    async def kubectl(self, command: str, stdin: str = "") -> tuple[int, str, str]:
        """Run a shell line that calls kubectl; its status, output and errors."""
        environment = {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "HOME": str(self.kubeconfig.parent),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        process = await asyncio.create_subprocess_shell(
            command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            cwd=self.kubeconfig.parent,
        )
        output, errors = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
        assert process.returncode is not None
        return process.returncode, output.decode(), errors.decode()


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    made = Pki(tmp_path_factory.mktemp("pki"))
    made.ensure()
    return made


@pytest.fixture
async def cluster(pki: Pki, tmp_path: Path) -> AsyncIterator[Cluster]:
    api = Api()
    server = await serve(api, LaptopNode(), pki)
    api.create("services", "default", KUBERNETES)
    api.create("serviceaccounts", "default", {"metadata": {"name": "default"}})
    kubeconfig = tmp_path / "kubeconfig"
    pki.write_kubeconfig(kubeconfig, f"https://127.0.0.1:{server.ports[0]}", "test")
    yield Cluster(api, server, pki, kubeconfig)
    await server.stop()
    api.close()
