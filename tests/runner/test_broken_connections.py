"""The network between runner and cluster breaks: no line of a log is lost or doubled, no stage runs twice."""

from __future__ import annotations

import asyncio
import signal
import sys
import textwrap
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
import yaml
from tests.runner.desk import Desk, job, run
from tests.runner.test_pods import kubectl, pods_of

from shipline.runner.kubernetes.errors import ApiError
from shipline.runner.pod.cluster import connect

pytestmark = pytest.mark.engine


class CutPoint:
    """A TCP relay in front of the API server; `cut` breaks all connections, `open` says whether new ones are
    taken."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.writers: set[asyncio.StreamWriter] = set()
        self.open = True

    async def start(self) -> int:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer):
        if not self.open:
            writer.transport.abort()
            return
        back_reader, back_writer = await asyncio.open_connection(*self.target)
        self.writers |= {writer, back_writer}
        await asyncio.gather(_pump(reader, back_writer), _pump(back_reader, writer), return_exceptions=True)

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()


async def _pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@pytest.fixture
async def cut_point(pods, tmp_path):
    """The relay, and the configuration of a runner that goes through it."""
    config = yaml.safe_load(Path(pods.kubeconfig).read_text())  # noqa: ASYNC240
    server = urlsplit(config["clusters"][0]["cluster"]["server"])
    relay = CutPoint(server.hostname, server.port)
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{await relay.start()}"
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    yield relay, msgspec.structs.replace(pods, kubeconfig=str(path))
    relay.cut()
    relay.server.close()


async def test_the_log_goes_on_at_the_byte_where_it_broke(cut_point, source):
    relay, through_relay = cut_point
    script = "i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; sleep 0.1; done; exit 9"
    payload = job(source, "echo run >> /tmp/runs", script, after=["echo runs=$(wc -l < /tmp/runs)"])
    desk = Desk(payload)
    running = asyncio.create_task(run(through_relay, desk))
    for line in ("line 3\n", "line 12\n", "line 20\n"):
        await desk.says(payload, line)
        relay.cut()
    await asyncio.wait_for(running, 60)
    lines = [line for line in desk.log(payload).splitlines() if line.startswith("line ")]
    assert lines == [f"line {number}" for number in range(1, 41)]
    assert "runs=1\n" in desk.log(payload)
    assert desk.results[payload.id].exit_code == 9


async def test_a_cluster_that_is_away_for_a_while_costs_nothing(cut_point, source):
    relay, through_relay = cut_point
    payload = job(source, "echo begun; sleep 1; echo ended while nobody listened")
    desk = Desk(payload)
    running = asyncio.create_task(run(through_relay, desk))
    await desk.says(payload, "begun\n")
    relay.open = False
    relay.cut()
    await asyncio.sleep(2.5)
    relay.open = True
    await asyncio.wait_for(running, 60)
    assert desk.results[payload.id].state == "success"
    assert "\nended while nobody listened\n" in desk.log(payload)


async def test_a_job_waits_for_a_cluster_that_is_away_when_it_begins(cut_point, source, monkeypatch):
    monkeypatch.setattr("shipline.runner.kubernetes.client.ATTEMPTS", 1)
    relay, through_relay = cut_point

    class AwayForTheSecond(Desk):
        async def request_job(self, tags, run_untagged):
            if len(self.waiting) == 1 and relay.open:
                relay.open = False
                relay.cut()
                asyncio.get_running_loop().call_later(3, setattr, relay, "open", True)
            return await super().request_job(tags, run_untagged)

    first, second = job(source, "echo one"), job(source, "echo two")
    desk = AwayForTheSecond(first, second)
    await asyncio.wait_for(run(msgspec.structs.replace(through_relay, limit=1), desk, 2), 90)
    assert "WARNING: the cluster: it does not answer, and is asked again" in desk.log(second)
    assert desk.results[second.id].state == "success", desk.log(second)


async def test_what_cannot_be_deleted_while_the_cluster_is_away_is_deleted_when_it_is_back(cut_point, monkeypatch):
    monkeypatch.setattr("shipline.runner.kubernetes.client.ATTEMPTS", 1)
    monkeypatch.setattr("shipline.runner.pod.cluster.FIRST_PAUSE", 0.1)
    relay, through_relay = cut_point
    said, folder = [], "/api/v1/namespaces/default/configmaps"
    deleted = asyncio.Event()

    def notify(text):
        said.append(text)
        if text == "left is deleted now":
            deleted.set()

    cluster = await connect(through_relay, notify)
    await cluster.client.create(folder, {"metadata": {"name": "left"}})
    await cluster.settling
    relay.open = False
    relay.cut()
    await cluster.remove(f"{folder}/left", grace=None)
    assert "left could not be deleted" in said[0] and "until the cluster takes it" in said[0]
    relay.open = True
    await asyncio.wait_for(deleted.wait(), 60)
    with pytest.raises(ApiError, match="not found"):
        await cluster.client.get(f"{folder}/left")
    await cluster.close()


async def test_pods_of_a_killed_runner_are_removed_by_the_next(pods, source, tmp_path):
    program = """
        import asyncio, sys
        from shipline.protocol.payload import decode
        from shipline.runner import Runner, KubernetesConfig, RunnerConfig
        from tests.runner.desk import Desk
        payload = decode(open(sys.argv[1]).read())
        kubernetes = KubernetesConfig(pull_policy="if-not-present", image="shipline/debian")
        config = RunnerConfig(executor="kubernetes", kubeconfig=sys.argv[2], kubernetes=kubernetes)
        desk = Desk(payload)
        async def main():
            running = asyncio.create_task(Runner(config, desk).run())
            await desk.says(payload, "begun\\n")
            print("begun", flush=True)
            await running
        asyncio.run(main())
    """
    payload = job(source, "echo begun; sleep 300")
    path = tmp_path / "payload.json"
    path.write_bytes(msgspec.json.encode(payload))
    killed = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", textwrap.dedent(program), str(path), pods.kubeconfig),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert killed.stdout is not None
    assert await killed.stdout.readline() == b"begun\n"
    killed.send_signal(signal.SIGKILL)
    await killed.wait()
    (left,) = pods_of(pods, payload)
    second = job(source, "sleep 2")
    await asyncio.wait_for(run(pods, Desk(second)), 60)
    assert left["metadata"]["name"] not in kubectl(pods, "get", "pods", "-o", "name")
