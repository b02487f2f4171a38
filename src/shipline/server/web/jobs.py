"""One job: its log, which goes on while the job runs, and what can be done with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.responses import Response, StreamingResponse

from shipline.engine.states import COMPLETED
from shipline.server.api import jobs as api
from shipline.server.api import projects as projects_api
from shipline.server.permissions import DEVELOPER
from shipline.server.web.page import HEADERS, Page, missing, plain

ACTIONS = {"play": api.play, "retry": api.retry, "cancel": api.cancel, "erase": api.erase}
SHOWN = 512 << 10
"""Bytes of a log that a page shows at first: its end."""
FOR_DEVELOPERS = b"This log shows variables (CI_DEBUG_TRACE): only developers of the project may read it.\n"
LOOK_EVERY = 0.5
"""Seconds."""


async def show(page: Page) -> Response:
    project, job = await _wanted(page)
    traces = page.instance.traces
    size = traces.size(job["id"])
    start = max(size - SHOWN, 0)
    level = page.instance.projects.level(page.instance.projects.by_id(project["id"]), page.caller)
    if level < DEVELOPER and api.is_debugged(page.instance, job["id"]):
        start, text = 0, FOR_DEVELOPERS
    else:
        text = await asyncio.to_thread(traces.read, job["id"], start)
    return page.show(
        "job.html",
        project=project,
        job=job,
        log=plain(text.decode(errors="replace")),
        cut=start > 0,
        offset=start + len(text),
        running=job["status"] not in COMPLETED and job["status"] != "manual",
        may_run=level >= DEVELOPER,
    )


async def events(page: Page) -> Response:
    """What comes to the log from a byte on, as server-sent events; the last says how the job ended."""
    project, job = await _wanted(page)
    level = page.instance.projects.level(page.instance.projects.by_id(project["id"]), page.caller)
    if level < DEVELOPER and api.is_debugged(page.instance, job["id"]):
        raise missing()
    start = page.request.query_params.get("offset", "0")
    stream = _lines(page, int(job["id"]), int(start) if start.isdigit() else 0)
    return StreamingResponse(stream, media_type="text/event-stream", headers=HEADERS)


async def _lines(page: Page, number: int, offset: int) -> AsyncIterator[str]:
    store, traces, stopping = page.instance.store, page.instance.traces, page.instance.stopping
    while not stopping.is_set():
        record = store.job(number)
        if record is None:
            return
        if data := await asyncio.to_thread(traces.read, number, offset, SHOWN):
            offset += len(data)
            yield f"event: log\ndata: {_json(plain(data.decode(errors='replace')))}\n\n"
            continue
        if record.status in COMPLETED:
            yield f"event: end\ndata: {_json(record.status)}\n\n"
            return
        await asyncio.sleep(LOOK_EVERY)


async def act(page: Page) -> Response:
    """Play, retry, cancel or erase. A retried job is another: its own page is shown."""
    handler = ACTIONS.get(page.path["action"])
    if handler is None:
        raise missing()
    job = await page.ask(handler, id=page.project, job_id=page.path["job_id"])
    back = page.values.get("back", "")
    return page.go(f"/{page.project}/-/{'pipelines/' + back if back.isdigit() else 'jobs/' + str(job['id'])}")


async def _wanted(page: Page) -> tuple[dict[str, Any], dict[str, Any]]:
    project = await page.ask(projects_api.show_project, id=page.project)
    job = await page.ask(api.show_job, id=str(project["id"]), job_id=page.path["job_id"])
    return project, job


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()
