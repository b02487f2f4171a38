"""The loop that takes jobs, and the way a log travels."""

from __future__ import annotations

import asyncio
import re
import time

import msgspec
import pytest
from tests.runner.desk import Desk, job, run

from shipline.protocol.coordinator import Answer
from shipline.protocol.payload import Features, Secret, Variable, VaultAuth, VaultEngine, VaultSecret, VaultServer
from shipline.runner import Runner


async def test_no_more_than_limit_jobs_run_at_once(shells, source):
    script = "touch {0}/$CI_JOB_ID; sleep 0.3; echo $(ls {0} | wc -l) at once; sleep 0.3; rm {0}/$CI_JOB_ID"
    folder = source[0].removeprefix("file://") + "-running"
    jobs = [job(source, f"mkdir -p {folder}; " + script.format(folder)) for _ in range(6)]
    desk = Desk(*jobs)
    await run(msgspec.structs.replace(shells, limit=2), desk, 6)
    assert max(int(desk.log(each).split(" at once")[-2].split()[-1]) for each in jobs) == 2


async def test_a_graceful_stop_lets_running_jobs_end_and_takes_no_more(shells, source):
    first, second = job(source, "echo begun; sleep 0.5; echo ended"), job(source, "true")
    desk, stop = Desk(first), asyncio.Event()
    running = asyncio.create_task(Runner(shells, desk).run(until=stop))
    await desk.says(first, "begun\n")
    stop.set()
    desk.waiting.append(second)
    await running
    assert desk.results[first.id].state == "success"
    assert second.id not in desk.results


async def test_a_closed_coordinator_is_not_asked_without_pause(shells):
    class Closed(Desk):
        asked = 0

        async def request_job(self, tags, run_untagged):
            self.asked += 1
            return

    desk, stop = Closed(), asyncio.Event()
    asyncio.get_running_loop().call_later(0.5, stop.set)
    await Runner(shells, desk).run(until=stop)
    assert desk.asked < 6


async def test_a_job_that_was_given_is_not_lost_when_the_runner_stops(shells, source):
    payload, stop = job(source, "true"), asyncio.Event()

    class Late(Desk):
        async def request_job(self, tags, run_untagged):
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                return payload
            return None

    desk = Late()
    asyncio.get_running_loop().call_later(0.1, stop.set)
    await Runner(shells, desk).run(until=stop)
    assert desk.results[payload.id].state == "success"


async def test_the_log_goes_on_from_where_the_coordinator_is(shells, source):
    """One that stores half of what it gets, fails now and then, and once forgets everything, has it all in the
    end."""

    class Forgetful(Desk):
        calls = 0

        async def append_trace(self, payload, offset, data):
            self.calls += 1
            if self.calls in (2, 5):
                raise ConnectionResetError("gone")
            if self.calls == 8:
                self.logs.clear()
                return Answer(trace_offset=0)
            return await super().append_trace(payload, offset, data[: len(data) // 2 + 1])

    payload = job(source, "seq 1 20000")
    desk = Forgetful(payload)
    await run(shells, desk)
    assert desk.log(payload).count("\n19999\n20000\n") == 1
    assert desk.log(payload).startswith("\x1b[0KRunning with shipline")
    assert desk.log(payload).endswith("\x1b[32;1mJob succeeded\x1b[0;m\n")


async def test_a_cancel_heard_in_the_answer_to_a_log_counts(shells, source):
    class Pulling(Desk):
        async def append_trace(self, payload, offset, data):
            answer = await super().append_trace(payload, offset, data)
            return Answer("canceled" if "begun\n" in self.log(payload) else "running", answer.trace_offset)

    payload = job(source, "echo begun; sleep 60")
    desk = Pulling(payload)
    start = time.monotonic()
    await run(shells, desk)
    assert desk.results[payload.id].failure_reason == "job_canceled"
    assert time.monotonic() - start < 5


async def test_secrets_are_asked_for_as_often_as_the_job_says(shells, source, monkeypatch):
    monkeypatch.setattr("shipline.runner.lifecycle.PAUSE", 0.01)
    nobody = VaultServer("http://127.0.0.1:1", VaultAuth(data={"jwt": "x"}))
    secret = Secret(VaultSecret(nobody, VaultEngine("kv-v2", "kv"), "app", "password"))
    thrice = [Variable("SECRETS_RETRIEVAL_ATTEMPTS", "3")]
    payload = job(source, "true", secrets={"PASSWORD": secret}, variables=thrice)
    desk = Desk(payload)
    await run(shells, desk)
    assert desk.results[payload.id].failure_reason == "runner_system_failure"
    assert desk.log(payload).count("getting the secrets failed") == 2


async def test_reasons_that_a_coordinator_does_not_list_are_told_in_its_terms(shells, source):
    features = Features(failure_reasons=["image_pull_failure"])
    payload = job(source, "true", secrets={"KEY": Secret()}, features=features)  # of no store that is known
    desk = Desk(payload)
    await run(shells, desk)
    assert desk.results[payload.id].failure_reason == "script_failure"


async def test_sections_and_time_stamps(shells, source):
    payload = job(source, "echo one; echo two")
    desk = Desk(payload)
    await run(msgspec.structs.replace(shells, timestamps=True), desk)
    line = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z 01O "
    lines = desk.log(payload).splitlines()
    assert all(re.match(line, each) for each in desk.log(payload).split("\n") if each), lines
    assert "section_start:" in desk.log(payload)


@pytest.mark.parametrize(
    ("script", "last"), [("true", "Job succeeded"), ("exit 3", "ERROR: Job failed: exit status 3")]
)
async def test_a_log_has_the_sections_of_gitlab_runner_to_its_end(shells, source, script, last):
    payload = job(source, script)
    desk = Desk(payload)
    await run(shells, desk)
    sections = re.findall(r"section_start:\d+:(\w+)", desk.log(payload))
    assert sections == [
        "prepare_executor",
        "prepare_script",
        "get_sources",
        "step_script",
        "cleanup_file_variables",
    ]
    assert "Cleaning up project directory and file based variables" in desk.log(payload)
    assert last in desk.log(payload).splitlines()[-1]


@pytest.mark.parametrize("status", ["canceled", "failed"])
async def test_a_job_that_was_canceled_before_it_began_is_not_run(shells, source, status):
    class Gone(Desk):
        async def update_job(self, payload, update):
            await super().update_job(payload, update)
            return Answer(status)

    payload = job(source, "echo ran")
    desk = Gone(payload)
    await run(shells, desk)
    assert "\nran\n" not in desk.log(payload)


async def test_a_stop_while_a_job_is_being_reported_reports_it_once(shells, source):
    reports = []

    class Slow(Desk):
        async def update_job(self, payload, update):
            if update.state != "running":
                reports.append(update.state)
                self.reported.set()
                await asyncio.sleep(0.3)
            return Answer()

    desk = Slow(job(source, "true"))
    running = asyncio.create_task(Runner(shells, desk).run())
    await desk.reported.wait()
    running.cancel()
    await asyncio.wait([running])
    assert reports == ["success"]


async def test_an_error_that_nobody_foresaw_still_ends_the_job(shells, source, monkeypatch):
    async def broken(self):
        raise KeyError("surprise")

    monkeypatch.setattr("shipline.runner.local.executor.ShellExecutor.prepare", broken)
    payload = job(source, "true")
    desk = Desk(payload)
    await run(shells, desk)
    assert desk.results[payload.id].failure_reason == "runner_system_failure"
    assert "KeyError: 'surprise'" in desk.log(payload)
