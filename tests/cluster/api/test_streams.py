"""exec, attach, logs, port-forward and cp with the real kubectl."""

import asyncio
import json
from urllib.parse import quote

import pytest
from tests.cluster.api.clients import client
from tests.cluster.api.conftest import Cluster


@pytest.fixture
def pod(cluster: Cluster) -> str:
    """A pod that counts as running."""
    api = cluster.api
    api.create(
        "pods", "default", {"metadata": {"name": "s"}, "spec": {"containers": [{"name": "s", "image": "i"}]}}
    )
    api.bind("default", "s", "node")
    running = api.get("pods", "default", "s")
    running["status"]["phase"] = "Running"
    state = {"running": {"startedAt": running["metadata"]["creationTimestamp"]}}
    running["status"]["containerStatuses"] = [
        {"name": "s", "image": "i", "imageID": "", "ready": True, "restartCount": 0, "state": state}
    ]
    running["status"]["conditions"].append({"type": "Ready", "status": "True"})
    api.update_status("pods", "default", running)
    return "s"


async def test_a_command_with_output_errors_and_a_status(cluster: Cluster, pod: str) -> None:
    code, output, errors = await cluster.kubectl("kubectl exec s -- sh -c 'echo out; echo err >&2; exit 5'")
    assert (code, output) == (5, "out\n")
    assert errors == "err\ncommand terminated with exit code 5\n"


async def test_standard_input_ends(cluster: Cluster, pod: str) -> None:
    command = "head -c 3000000 /dev/zero | kubectl exec -i s -- wc -c"
    assert await cluster.kubectl(command) == (0, "3000000\n", "")


async def test_a_command_that_is_not_there(cluster: Cluster, pod: str) -> None:
    code, _, errors = await cluster.kubectl("kubectl exec s -- nothing-here")
    assert code == 1
    assert 'exec: "nothing-here": executable file not found' in errors


async def test_attach_tells_what_was_typed(cluster: Cluster, pod: str) -> None:
    code, output, _ = await cluster.kubectl("echo typed | kubectl attach -i s")
    assert (code, output) == (0, "got typed\n")


async def test_logs(cluster: Cluster, pod: str) -> None:
    assert (await cluster.kubectl("kubectl logs s --tail=2"))[1] == "line 3\nline 4\n"
    code, _, errors = await cluster.kubectl("kubectl logs s --previous")
    assert code == 1
    assert errors == 'Error from server (BadRequest): previous terminated container "s" in pod "s" not found\n'


async def test_copying_there_and_back(cluster: Cluster, pod: str) -> None:
    folder = cluster.kubeconfig.parent / "inside"
    folder.mkdir()
    there, back = f"kubectl cp f.txt s:{folder}/f.txt", f"kubectl cp s:{folder}/f.txt back.txt"
    copy = f"echo data > f.txt && {there} && {back} && cat back.txt"
    assert (await cluster.kubectl(copy))[1].splitlines()[-1] == "data"


@pytest.mark.parametrize("way", ["", "export KUBECTL_PORT_FORWARD_WEBSOCKETS=false; "])
async def test_a_forwarded_port(cluster: Cluster, pod: str, way: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        size = 2_000_000 if b"/large" in request else 4
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * size)
        await writer.drain()
        writer.close()

    web = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = web.sockets[0].getsockname()[1]
    command = way + (
        f"kubectl port-forward pod/s 0:{port} > said & pid=$!; "
        "for i in $(seq 50); do grep -q 'Forwarding' said && break; sleep 0.1; done; "
        "local=$(sed -n 's/.*127.0.0.1:\\([0-9]*\\) .*/\\1/p' said | head -1); "
        "curl -s http://127.0.0.1:$local/; curl -s http://127.0.0.1:$local/large | wc -c; kill $pid"
    )
    _, output, _ = await cluster.kubectl(command)
    assert output.split() == ["xxxx2000000"]
    web.close()


async def test_a_port_that_nobody_listens_on(cluster: Cluster, pod: str) -> None:
    command = (
        "(timeout 3 kubectl port-forward pod/s 0:1 > said 2> errors &) ; "
        "for i in $(seq 50); do grep -q 'Forwarding' said && break; sleep 0.1; done; "
        "local=$(sed -n 's/.*127.0.0.1:\\([0-9]*\\) .*/\\1/p' said | head -1); "
        "curl -s http://127.0.0.1:$local/; sleep 0.5; cat errors"
    )
    _, output, _ = await cluster.kubectl(command)
    assert "error forwarding port 1 to pod" in output


async def test_clients_of_the_older_protocol(cluster: Cluster, pod: str) -> None:
    path = "/api/v1/namespaces/default/pods/s/exec?stdin=1&stdout=1&stderr=1&command=sh&command=-c&command="
    script = "read x; echo got $x; exit 3"
    async with (
        client(cluster) as session,
        session.ws_connect(path + quote(script), protocols=("v4.channel.k8s.io",)) as socket,
    ):
        await socket.send_bytes(b"\x00typed\n")
        frames = [message.data async for message in socket]
    assert b"".join(frame[1:] for frame in frames if frame[0] == 1) == b"got typed\n"
    status = json.loads(frames[-1][1:])
    assert (frames[-1][0], status["reason"], status["details"]["causes"][0]["message"]) == (
        3,
        "NonZeroExitCode",
        "3",
    )


async def test_ports_by_channels(cluster: Cluster, pod: str) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    path = f"/api/v1/namespaces/default/pods/s/portforward?ports={port}"
    async with (
        client(cluster) as session,
        session.ws_connect(path, protocols=("v4.channel.k8s.io",)) as socket,
    ):
        await socket.send_bytes(b"\x00hello\n")
        frames = [message.data async for message in socket]
    head = port.to_bytes(2, "little")
    assert frames == [b"\x00" + head, b"\x01" + head, b"\x00HELLO\n"]
    server.close()


async def test_a_stream_needs_an_upgrade_and_a_container(cluster: Cluster, pod: str) -> None:
    async with client(cluster) as session:
        for query, message in (
            ("command=true&stdout=1", "Upgrade request required"),
            ("container=nope&command=true&stdout=1", "Upgrade request required"),
        ):
            async with session.get(f"/api/v1/namespaces/default/pods/s/exec?{query}") as answer:
                assert (answer.status, (await answer.json())["message"]) == (400, message)
        async with session.get("/api/v1/namespaces/default/pods/s/log?container=nope") as answer:
            assert (await answer.json())["message"] == "container nope is not valid for pod s"
        async with session.get("/api/v1/namespaces/default/pods/s/log?tailLines=-1") as answer:
            assert answer.status == 422


async def test_input_waits_for_a_process_that_reads_late(cluster: Cluster, pod: str) -> None:
    command = "head -c 5000000 /dev/zero | kubectl exec -i s -- sh -c 'sleep 1; wc -c'"
    assert await cluster.kubectl(command) == (0, "5000000\n", "")


async def test_a_process_that_ends_before_its_input(cluster: Cluster, pod: str) -> None:
    command = "head -c 5000000 /dev/zero | kubectl exec -i s -- sh -c 'head -c 3 | wc -c; exit 2'"
    code, output, _ = await cluster.kubectl(command)
    assert (code, output) == (2, "3\n")


SPDY = "export KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false; "
"""So that kubectl speaks as GitLab's runner does."""


async def test_clients_that_speak_spdy_alone(cluster: Cluster, pod: str) -> None:
    code, output, errors = await cluster.kubectl(SPDY + "kubectl exec s -- sh -c 'echo out; echo err >&2; exit 5'")
    assert (code, output) == (5, "out\n")
    assert errors == "err\ncommand terminated with exit code 5\n"
    counted = "head -c 3000000 /dev/zero | kubectl exec -i s -- wc -c"
    assert await cluster.kubectl(SPDY + counted) == (0, "3000000\n", "")
    code, output, errors = await cluster.kubectl(SPDY + "kubectl exec s -- head -c 3000000 /dev/zero | wc -c")
    assert (code, output, errors) == (0, "3000000\n", "")
    code, _, errors = await cluster.kubectl(SPDY + "kubectl exec s -- nothing-here")
    assert code == 1 and 'exec: "nothing-here": executable file not found' in errors
    code, output, _ = await cluster.kubectl(SPDY + "echo typed | kubectl attach -i s")
    assert (code, output) == (0, "got typed\n")


async def test_a_process_that_does_not_read_holds_up_a_spdy_client_without_losing_bytes(
    cluster: Cluster, pod: str
) -> None:
    late = "head -c 3000000 /dev/zero | kubectl exec -i s -- sh -c 'sleep 0.5; wc -c'"
    assert await cluster.kubectl(SPDY + late) == (0, "3000000\n", "")


async def test_a_spdy_client_of_an_unknown_protocol_is_refused(cluster: Cluster, pod: str) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v9.channel.k8s.io"}
    path = "/api/v1/namespaces/default/pods/s/exec?command=true&stdout=true"
    async with client(cluster) as session, session.post(path, headers=headers) as answer:
        assert answer.status == 403
        assert "unable to negotiate protocol" in (await answer.json())["message"]
