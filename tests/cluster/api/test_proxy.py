"""`pods/NAME/proxy` and `services/NAME/proxy`, as `kubectl get --raw` and `kubectl proxy` use them."""

import asyncio
import json

import pytest
from aiohttp import web
from tests.cluster.api.clients import client
from tests.cluster.api.conftest import Cluster

PODS, SERVICES = "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/services"


async def echo(request: web.Request) -> web.Response:
    told = {
        "asked": f"{request.method} {request.path_qs}",
        "body": await request.text(),
        "login": request.headers.get("Authorization"),
        "kept": request.headers.get("X-Kept"),
    }
    status = 418 if request.method == "POST" else 200
    return web.json_response(told, status=status, headers={"X-App": "yes"})


@pytest.fixture
async def port(cluster: Cluster):
    """The port of an application that counts as the pod's, and the pod's service."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    number = runner.addresses[0][1]
    api = cluster.api
    container = {"name": "s", "image": "i", "ports": [{"containerPort": number}]}
    api.create("pods", "default", {"metadata": {"name": "s"}, "spec": {"containers": [container]}})
    running = api.get("pods", "default", "s")
    running["status"] |= {"phase": "Running", "podIP": "10.0.0.7"}
    api.update_status("pods", "default", running)
    ports = [{"name": "web", "port": 80, "targetPort": number}]
    api.create("services", "default", {"metadata": {"name": "app"}, "spec": {"ports": ports}})
    yield number
    await runner.cleanup()


def answered(cluster: Cluster, number: int) -> None:
    """The service has the pod as its endpoint."""
    address = {"ip": "10.0.0.7", "targetRef": {"kind": "Pod", "name": "s"}}
    subset = {"addresses": [address], "ports": [{"name": "web", "port": number}]}
    cluster.api.create("endpoints", "default", {"metadata": {"name": "app"}, "subsets": [subset]})


async def test_a_pod_is_asked_with_path_query_and_body(cluster: Cluster, port: int) -> None:
    headers = {"X-Kept": "yes", "Content-Type": "text/plain"}
    async with (
        client(cluster) as session,
        session.post(f"{PODS}/s:{port}/proxy/add/it?a=b%20c", data="body", headers=headers) as answer,
    ):
        assert (answer.status, answer.headers["X-App"]) == (418, "yes")
        told = await answer.json()
    assert told == {"asked": "POST /add/it?a=b%20c", "body": "body", "login": None, "kept": "yes"}


async def test_without_a_port_it_is_the_first_of_the_pod(cluster: Cluster, port: int) -> None:
    async with client(cluster) as session, session.get(f"{PODS}/s/proxy") as answer:
        assert (await answer.json())["asked"] == "GET /"


async def test_a_service_is_one_of_its_pods(cluster: Cluster, port: int) -> None:
    async with client(cluster) as session:
        async with session.get(f"{SERVICES}/app:web/proxy/x") as answer:
            assert (answer.status, (await answer.json())["message"]) == (
                503,
                'no endpoints available for service "app"',
            )
        answered(cluster, port)
        for name in ("app", "app:80", "http:app:web"):
            async with session.get(f"{SERVICES}/{name}/proxy/x") as answer:
                assert (await answer.json())["asked"] == "GET /x"
        async with session.get(f"{SERVICES}/app:other/proxy/") as answer:
            assert answer.status == 503


async def test_an_answer_that_says_nothing_of_its_kind(cluster: Cluster, port: int) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\n\nhello\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    other = server.sockets[0].getsockname()[1]
    async with client(cluster) as session, session.get(f"{PODS}/s:{other}/proxy/") as answer:
        assert (answer.headers["Content-Type"], await answer.text()) == ("text/plain; charset=utf-8", "hello\n")
    server.close()


async def test_kubectl_reads_through_it(cluster: Cluster, port: int) -> None:
    answered(cluster, port)
    code, output, errors = await cluster.kubectl(f"kubectl get --raw {SERVICES}/app/proxy/y")
    assert (code, errors) == (0, "")
    assert json.loads(output)["asked"] == "GET /y"


async def test_what_does_not_answer_is_told(cluster: Cluster, port: int) -> None:
    async with client(cluster) as session, session.get(f"{PODS}/s:1/proxy/") as answer:
        assert answer.status == 503
        assert (await answer.json())["message"].startswith("error trying to reach service: ")
