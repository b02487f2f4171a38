"""A runner reports on its job: states with PUT, the log with PATCH. Each answer carries the job's state, which is
how a runner hears of a cancel."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import tables as t
from shipline.server.http.answers import refusal
from shipline.server.http.call import Call
from shipline.server.http.parameters import number_in
from shipline.server.http.routes import Endpoint
from shipline.server.instance import Instance
from shipline.server.runner_api.authentication import RunningJob, heard_of_job, running_job
from shipline.server.traces import coverage_of

UPDATE_INTERVAL = "3"
"""Seconds after which a runner sends more of a log."""
UPDATES_A_MINUTE = 200
TRACES_A_MINUTE = 600
KNOWN_REASONS = frozenset(
    [
        "unknown_failure",
        "script_failure",
        "api_failure",
        "stuck_or_timeout_failure",
        "runner_system_failure",
        "runner_configuration_error",
        "runner_external_dependency_failure",
        "runner_interrupted",
        "runner_unsupported",
        "stale_schedule",
        "job_execution_timeout",
        "archived_failure",
        "unmet_prerequisites",
        "scheduler_failure",
        "data_integrity_failure",
        "image_pull_failure",
        "job_canceled",
        "missing_dependency_failure",
    ]
)


async def update_job(call: Call) -> Response:
    """PUT jobs/:id."""
    call.required("token")
    running = running_job(call, limit="jobs", a_minute=UPDATES_A_MINUTE)
    heard_of_job(call, running)
    covered = await _coverage(call, running) if call.text("state") in ("success", "failed") else None
    status = _update(call, running, covered)
    return _told(call.instance, running, Response(str(status), status, media_type="application/json"))


async def _coverage(call: Call, running: RunningJob) -> float | None:
    """What the job's own pattern finds in its log."""
    live = call.instance.pipelines.live(running.job.pipeline_id)
    pattern = live.definitions[running.job.name].extra.get("coverage")
    return await asyncio.to_thread(coverage_of, pattern, call.instance.traces, running.job.id) if pattern else None


def _update(call: Call, running: RunningJob, covered: float | None) -> int:
    """Applies the state; gives the answer's status."""
    state = call.text("state")
    if running.job.status == "pending":
        return _acknowledge(call.instance, running, state)
    if state == "running":
        return 200
    if state not in ("success", "failed"):
        return 400
    if _is_short(call, running):
        return 412
    exit_code = call.integer("exit_code")
    if state == "success":
        call.instance.pipelines.finished(running.job, "success", None, exit_code, covered)
        return 200
    reason = call.text("failure_reason")
    reason = reason if reason in KNOWN_REASONS else "unknown_failure"
    call.instance.pipelines.finished(running.job, "failed", reason, exit_code, covered)
    return 200


def _acknowledge(instance: Instance, running: RunningJob, state: str) -> int:
    """The second phase: the runner says that it prepares the job (`pending`) or starts it (`running`)."""
    waited_for = sa.update(t.assignments).where(t.assignments.c.job_id == running.job.id)
    if state == "pending":
        by = running.assigned.updated_at + instance.settings.acknowledge_within
        instance.database.execute(waited_for.values(acknowledge_by=by))
        return 200
    if state != "running":
        return 400
    runner = instance.runners.by_id(running.assigned.runner_id)
    if runner is None:
        return 400
    with instance.database.transaction():
        if not instance.pipelines.started(running.job, runner.description or runner.short):
            return 409
        instance.database.execute(waited_for.values(acknowledge_by=None))
    return 200


def _is_short(call: Call, running: RunningJob) -> bool:
    """Whether the stored log lacks something that the runner has sent. Said once: it then sends the rest."""
    size = call.mapping("output").get("bytesize")
    told = call.instance.short_traces
    if not isinstance(size, int) or call.instance.traces.size(running.job.id) >= size or running.job.id in told:
        told.discard(running.job.id)
        return False
    told.add(running.job.id)
    return True


async def append_trace(call: Call) -> Response:
    """PATCH jobs/:id/trace: `Content-Range: <start>-<end>`, of which the end is the body's."""
    call.values = dict(call.request.query_params)
    running = running_job(call, limit="trace", a_minute=TRACES_A_MINUTE)
    heard_of_job(call, running)
    asked = call.request.headers.get("content-range")
    if asked is None:
        raise refusal(400, "400 Missing header Content-Range")
    start = asked.partition("-")[0].strip()
    offset = number_in(start) or 0
    room = call.instance.settings.trace_limit - offset
    length = call.request.headers.get("content-length", "0")
    if room <= 0 or int(length) > room:
        call.instance.pipelines.finished(running.job, "failed", "trace_size_exceeded")
        raise refusal(403)
    if offset == 0 and call.boolean("debug_trace") and not running.job.debug:
        call.instance.pipelines.debugged(running.job)
    traces = call.instance.traces
    fits, end = offset == traces.size(running.job.id), offset
    async for part in call.pieces(room):
        if fits:
            traces.write(running.job.id, end, part)
        end += len(part)
    stored = traces.size(running.job.id)
    if stored != end:
        raise refusal(416, Range=f"0-{stored}")
    answer = Response("202", 202, media_type="application/json")
    answer.headers["Range"] = f"0-{stored}"
    answer.headers["X-GitLab-Trace-Update-Interval"] = UPDATE_INTERVAL
    return _told(call.instance, running, answer)


async def runtime_environment_key(call: Call) -> Response:
    """GET jobs/:id/runtime_environment_key: no job of this server has gone to sleep with its environment."""
    running_job(call, limit="jobs", a_minute=UPDATES_A_MINUTE)
    raise refusal(404)


def _told(instance: Instance, running: RunningJob, answer: Response) -> Response:
    """The answer with the job's state as it is now."""
    job = instance.store.job(running.job.id)
    answer.headers["Job-Status"] = job.status if job is not None else "canceled"
    return answer


ENDPOINTS = [
    Endpoint(
        "PUT",
        "/jobs/{id}",
        update_job,
        takes="token! state checksum failure_reason exit_code:int output:hash",
        gives="any",
    ),
    Endpoint("GET", "/jobs/{id}/runtime_environment_key", runtime_environment_key),
    Endpoint("PATCH", "/jobs/{id}/trace", append_trace, reads_body=False, gives="any", status=202),
]
