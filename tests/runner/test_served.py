"""A runner and its server, when the server is not there."""

import asyncio
import socket

from aiohttp import web

from shipline.runner import RunnerConfig
from shipline.runner.served import Places, ServedRunner


async def test_a_server_that_does_not_answer_is_named_once_and_so_is_its_return():
    said = []
    places = Places(1)
    places.pause = 0.01
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))  # nobody listens yet
        url = f"http://127.0.0.1:{place.getsockname()[1]}"
        entry = RunnerConfig(name="mine", url=url, token="glrt-1")
        served = ServedRunner(entry, "s_1", places, notify=said.append)
        for _ in range(2):
            assert await served.request_job(frozenset(), True) is None
        assert len(said) == 1
        assert said[0].startswith(f"mine: no answer: {url}")
        site = await listening(place)
        assert await served.request_job(frozenset(), True) is None
        assert said[1:] == [f"mine: {url} answers again."]
        await asyncio.gather(served.close(), site.cleanup())


async def listening(place):
    async def nothing(request):
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/api/v4/jobs/request", nothing)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, place).start()
    return runner
