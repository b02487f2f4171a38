"""The test reports of a pipeline: what its jobs left as `artifacts:reports:junit`, as one suite a job."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import Response

from shipline.engine.junit import JunitError, TestCase, distinct
from shipline.engine.records import JobRecord
from shipline.engine.reports import UnreadableReport, cases_of
from shipline.server.api.pipelines import reading, wanted
from shipline.server.http.call import Call
from shipline.server.http.routes import Endpoint

JUNIT = "junit"
COUNTS = {"success": "success_count", "failed": "failed_count", "skipped": "skipped_count", "error": "error_count"}


async def report(call: Call) -> Response:
    """GET test_report: with every test case."""
    _, row = wanted(call, reading(call))
    artifacts, suites = call.instance.artifacts, {}
    for name, jobs in _suites(call, row.id).items():
        suite: dict[str, Any] = {"cases": [], "error": None}
        for job in jobs:
            file = artifacts.one(job.id, JUNIT)
            path = await artifacts.file(file) if file is not None else None
            if file is None or path is None:
                continue
            try:
                suite["cases"] += await asyncio.to_thread(cases_of, path, file.file_format)
            except (JunitError, UnreadableReport) as error:
                suite["error"] = str(error)
        suites[name] = suite
    shapes = [_suite(name, suite["cases"], suite["error"]) for name, suite in suites.items()]
    total = {"total_time": round(sum(shape["total_time"] for shape in shapes), 6)}
    total |= {key: sum(shape[key] for shape in shapes) for key in ("total_count", *COUNTS.values())}
    return call.json(total | {"test_suites": shapes})


async def summary(call: Call) -> Response:
    """GET test_report_summary: the numbers alone, which no file is read for."""
    _, row = wanted(call, reading(call))
    shapes = []
    for name, jobs in _suites(call, row.id).items():
        found = [each for job in jobs for each in job.reports if each.kind == JUNIT]
        failed, errors, skipped = (
            sum(getattr(each, key) for each in found) for key in ("failed", "errors", "skipped")
        )
        total = sum(each.total for each in found)
        shapes.append(
            {
                "name": name,
                "total_time": round(sum(each.seconds for each in found), 6),
                "total_count": total,
                "success_count": total - failed - errors - skipped,
                "failed_count": failed,
                "skipped_count": skipped,
                "error_count": errors,
                "build_ids": [job.id for job in jobs],
                "suite_error": next((each.problem for each in found if each.problem), None),
            }
        )
    keys = {"time": "total_time", "count": "total_count"} | {key: COUNTS[key] for key in COUNTS}
    total_shape: dict[str, Any] = {key: sum(shape[own] for shape in shapes) for key, own in keys.items()}
    total_shape["suite_error"] = None
    return call.json({"total": total_shape, "test_suites": shapes})


def _suites(call: Call, pipeline_id: int) -> dict[str, list[JobRecord]]:
    """The jobs that left test reports, by the name of their suite: jobs that run in parallel make one."""
    live = call.instance.pipelines.live(pipeline_id)
    found: dict[str, list[JobRecord]] = {}
    for job in sorted(live.jobs.values(), key=lambda each: each.id):
        if any(each.kind == JUNIT for each in job.reports):
            found.setdefault(live.definitions[job.name].group_name or job.name, []).append(job)
    return found


def _suite(name: str, every: list[TestCase], error: str | None) -> dict[str, Any]:
    """A suite of which a report cannot be read tells that alone."""
    cases = [] if error else distinct(every)
    counts = {key: sum(case.status == status for case in cases) for status, key in COUNTS.items()}
    return {
        "name": name,
        "total_time": round(sum(case.seconds for case in every), 6),
        "total_count": len(cases),
        **counts,
        "suite_error": error,
        "test_cases": [_case(case) for case in cases],
    }


def _case(case: TestCase) -> dict[str, Any]:
    return {
        "status": case.status,
        "name": case.name or "(No name)",
        "classname": case.classname,
        "file": case.file,
        "execution_time": case.seconds,
        "system_output": case.output,
        "stack_trace": None,
        "recent_failures": None,
    }


_ONE = "/projects/{id}/pipelines/{pipeline_id}"
ENDPOINTS = [
    Endpoint("GET", _ONE + "/test_report", report, gives="any"),
    Endpoint("GET", _ONE + "/test_report_summary", summary, gives="any"),
]
