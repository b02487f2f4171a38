"""HTTP and WebSockets as the client speaks them, against another implementation's server."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import WSMsgType, web
from hypothesis import given
from hypothesis import strategies as st

from shipline.runner.kubernetes.client import Client, with_query
from shipline.runner.kubernetes.errors import ApiError, Unreachable
from shipline.runner.kubernetes.http import HttpError, Server
from shipline.runner.kubernetes.kubeconfig import Access
from shipline.runner.kubernetes.websocket import Refused, WebSocket, masked


async def echo(request):
    body = await request.text()
    peer = str(request.transport.get_extra_info("peername"))
    return web.json_response({"method": request.method, "path": request.raw_path, "body": body, "peer": peer})


async def chunks(request):
    answer = web.StreamResponse()
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    for part in (b"one\n", b"x" * 100_000 + b"\n", b"end"):
        await answer.write(part)
    return answer


async def closing(request):
    return web.Response(text="bye", headers={"Connection": "close"})


async def refusing(request):
    status = {"kind": "Status", "reason": "Forbidden", "message": "you may not", "code": 403}
    return web.json_response(status, status=403)


async def socket(request):
    answer = web.WebSocketResponse(protocols=["v5.channel.k8s.io"], max_msg_size=0)
    await answer.prepare(request)
    await answer.ping()
    async for message in answer:
        if message.type is WSMsgType.BINARY:
            await answer.send_bytes(message.data[::-1])
            if message.data == b"stop":
                await answer.close()
            if message.data == b"drop":
                request.transport.abort()
    return answer


async def warning(request):
    answer = web.json_response({"kind": "Pod"}, status=201)
    for text in ('would violate \\"restricted\\", a policy', "deprecated"):
        answer.headers.add("Warning", f'299 - "{text}"')
    return answer


@pytest.fixture
async def url():
    app = web.Application()
    app.router.add_get("/chunks", chunks)
    app.router.add_get("/closing", closing)
    app.router.add_get("/socket", socket)
    app.router.add_get("/refusing", refusing)
    app.router.add_post("/pods", warning)
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app, keepalive_timeout=1, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_connection_is_used_again(url):
    client = Client(Access(server=url + "/prefix"))
    first = await client.call("POST", "/a", {"x": 1}, q="a b&c")
    second = await client.get("/b")
    assert first["path"] == "/prefix/a?q=a%20b%26c"
    assert first["body"] == '{"x": 1}'
    assert first["peer"] == second["peer"]
    await client.close()


async def test_a_kept_connection_that_the_server_closed_is_replaced(url):
    client = Client(Access(server=url))
    first = await client.get("/a")
    await asyncio.sleep(1.5)
    assert (await client.get("/a"))["peer"] != first["peer"]
    await client.close()


async def test_bodies_in_chunks_and_up_to_the_end(url):
    server = Server(url, None)
    _, body = await server.whole("GET", "/chunks", {})
    assert body == b"one\n" + b"x" * 100_000 + b"\nend"
    assert (await server.whole("GET", "/closing", {}))[1] == b"bye"
    server.close()


async def test_a_refusal_is_told_in_the_servers_words(url):
    with pytest.raises(ApiError, match="you may not") as caught:
        await Client(Access(server=url)).get("/refusing")
    assert (caught.value.code, caught.value.reason) == (403, "Forbidden")


async def test_what_the_server_warns_of_is_heard(url):
    heard = []
    client = Client(Access(server=url))
    await client.create("/pods", {"metadata": {"name": "a"}}, warned=heard.append)
    assert heard == ['would violate "restricted", a policy', "deprecated"]
    await client.close()


async def test_a_server_that_is_not_there(monkeypatch):
    monkeypatch.setattr("shipline.runner.kubernetes.client.ATTEMPTS", 1)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9.*Connect call failed"):
        await Client(Access(server="http://127.0.0.1:9", source="a test")).get("/")


async def test_messages_of_all_sizes_go_both_ways(url):
    web_socket = await WebSocket.connect(Server(url, None), "/socket", {}, ["v5.channel.k8s.io"])
    messages = web_socket.messages()
    for size in (1, 125, 126, 65535, 65536, 300_000):
        await web_socket.send(b"a" * (size - 1) + b"b")
        assert await anext(messages) == b"b" + b"a" * (size - 1)
    await web_socket.send(b"stop")
    assert [message async for message in messages] == [b"pots"]
    await web_socket.close()


async def test_a_broken_socket_is_an_error_not_an_end(url):
    web_socket = await WebSocket.connect(Server(url, None), "/socket", {}, [])
    await web_socket.send(b"drop")
    with pytest.raises(HttpError):
        [message async for message in web_socket.messages()]
    await web_socket.close()


async def test_a_server_without_websockets(url):
    with pytest.raises(Refused) as caught:
        await WebSocket.connect(Server(url, None), "/refusing", {}, [])
    assert caught.value.status == 403


async def test_a_proxy_is_asked_to_connect(url):
    asked = []

    async def proxy(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.decode().splitlines()[0])
        host, port = asked[0].split()[1].split(":")
        back_reader, back_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

        async def pump(source, target):
            while data := await source.read(65536):
                target.write(data)
            target.close()

        await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = Client(Access(server=url, proxy=f"http://127.0.0.1:{port}"))
    assert (await client.get("/through"))["path"] == "/through"
    assert asked == [f"CONNECT {url.removeprefix('http://')} HTTP/1.1"]
    await client.close()
    server.close()


@given(st.binary(max_size=200), st.binary(min_size=4, max_size=4))
def test_masking(data, mask):
    assert masked(data, mask) == bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


def test_queries():
    assert (
        with_query("/a", [("command", "sh -c"), ("command", "x&y=ü")])
        == "/a?command=sh%20-c&command=x%26y%3D%C3%BC"
    )
