"""A rollout loses no request, also of an application that ends the moment it is told to."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.recordings.replay import Stage, give
from tests.cluster.recordings.stage import existing, images

from shipline import cluster

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: busybox:1.36
        env: [{name: VERSION, value: "1"}]
        command: [sh, -c]
        args:
        - |
          mkdir /www; echo $VERSION > /www/index.html
          httpd -f -p 8080 -h /www & trap 'kill $!; exit' TERM; wait
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: 30200}]}
"""


@pytest.fixture
def kubeconfig() -> Iterator[Path]:
    name = f"rollout-{secrets.token_hex(3)}"
    asyncio.run(images())
    config = cluster.ClusterConfig(name=name, node_port_address="127.30.0.200")
    yield cluster.start(name, config)
    cluster.delete(name)


async def client(url: str, answers: list[str], over: asyncio.Event) -> None:
    """Ask without pause, each time over a new connection."""
    import aiohttp

    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(5)) as session:
        while not over.is_set():
            try:
                async with session.get(url) as response:
                    answers.append((await response.text()).strip())
            except (aiohttp.ClientError, TimeoutError) as error:
                answers.append(f"{url}: {error!r}")
            await asyncio.sleep(0.005)


async def roll_out(stage: Stage, answers: list[str]) -> None:
    """Two rollouts, while clients ask at the node's port there and here."""
    over = asyncio.Event()
    urls = (f"http://{stage.place.node_address}:30200/", "http://127.30.0.200:30200/")
    clients = [asyncio.create_task(client(url, answers, over)) for url in urls]
    for version in ("2", "3"):
        changed = await give(
            f"kubectl set env deployment/web VERSION={version} && kubectl rollout status deployment/web", stage
        )
        assert changed.status == 0, changed.stderr
    await asyncio.sleep(1)
    over.set()
    await asyncio.gather(*clients)


@pytest.mark.engine
async def test_a_rollout_loses_no_request(kubeconfig):
    answers: list[str] = []
    async with existing(kubeconfig) as stage:
        started = await give(
            f"kubectl apply -f - <<'Y' && kubectl rollout status deployment/web --timeout=60s\n{MANIFEST}\nY", stage
        )
        assert started.status == 0, started.stderr
        await roll_out(stage, answers)
    failed = [answer for answer in answers if answer not in ("1", "2", "3")]
    assert not failed, f"{len(failed)} of {len(answers)}: {failed[:3]}"
    assert answers[-1] == "3"
    assert len(answers) > 100
