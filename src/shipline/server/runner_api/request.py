"""POST jobs/request: a runner asks for a job, and waits here until there may be one."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from shipline.protocol.payload import encode
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint
from shipline.server.runner_api.authentication import heard_of, runner
from shipline.server.vault import digest

LAST_UPDATE = "X-GitLab-Last-Update"


async def request_job(call: Call) -> Response:
    """201 with a job; 204 without one, and with the value that lets the next question be held until there is
    something new. That value is read before the queue is: what comes meanwhile is not missed."""
    call.required("token")
    call.limit("jobs/request", digest(call.text("token")), call.instance.settings.requests_a_minute)
    known = runner(call)
    manager = heard_of(call, known)
    handout = call.instance.handout
    tick = handout.tick()
    if call.text("last_update") == tick:
        tick = await _news(call, tick)
        if tick == call.text("last_update") or await call.request.is_disconnected():
            return _nothing(tick)
        known = runner(call)
    if known.paused:
        return _nothing(tick)
    payload = handout.next_job(known, manager)
    if payload is None:
        return _nothing(tick)
    return Response(encode(payload), 201, media_type="application/json")


async def _news(call: Call, tick: str) -> str:
    """Waits until the value is another, for as long as a question is held; gives the value then."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + call.instance.settings.long_poll
    while (now := call.instance.handout.tick()) == tick:
        left = deadline - loop.time()
        if left <= 0 or call.instance.stopping.is_set() or not await call.instance.pipelines.bell.wait(left):
            break
    return now


def _nothing(tick: str) -> Response:
    return Response(status_code=204, headers={LAST_UPDATE: tick})


ENDPOINTS = [
    Endpoint(
        "POST",
        "/jobs/request",
        request_job,
        takes="token! system_id last_update info:hash session:hash",
        gives="hash",
    )
]
